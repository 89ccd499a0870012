"""The app on a real pseudo-terminal that goes away, stalls, or sends signals."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dbtui.terminals import Terminal

LEFT = b"\x1b[?1049l"
ENTERED = b"\x1b[?1049h"


class Child(Terminal):
    """The child app of these tests."""

    def __init__(self, folder: Path, steps: int, seconds: float) -> None:
        super().__init__("-m", "tests.dbtui.terminal_child", str(folder), str(steps), str(seconds))
        self.folder = folder
        self.status: int | None = None

    def read_until(self, journal_has: str, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while journal_has not in self.journal:
            assert time.monotonic() < until, (self.journal, self.output[-2000:])
            self.read(0.05)

    @property
    def journal(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "journal").read_text().splitlines()
        return []

    def wait(self, seconds: float, *, reading: bool = True) -> int:
        """The exit code; fails if the process does not end in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if reading:
                self.read(0.05)
            else:
                time.sleep(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                if reading:
                    self.read(0.2)
                return self.status
        pytest.fail(f"still running; journal {self.journal[-3:]}")

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def end(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.close()


@pytest.fixture
def child(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Child]:
    started = Child(tmp_path, *getattr(request, "param", (10_000, 0.02)))
    yield started
    started.end()


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("child", [(120, 0.02)], indirect=True)
def test_closing_the_terminal_lets_training_run_to_its_end(child: Child, tmp_path: Path) -> None:
    child.read_until("step 5")
    child.close()
    assert child.wait(20, reading=False) == 0
    assert child.journal[-1] == "done"
    assert child.journal[:-1] == [f"step {number}" for number in range(1, 121)]
    assert (tmp_path / "deserted").exists(), "what was to go on in the background is looked after"


def test_a_closed_terminal_costs_no_processor_time(child: Child) -> None:
    child.read_until("step 5")
    child.close()
    time.sleep(1.0)
    before = processor_seconds(child.pid)
    time.sleep(1.0)
    assert processor_seconds(child.pid) - before < 0.3


def test_sigterm_saves_restores_the_terminal_and_exits_with_3(child: Child) -> None:
    child.read_until("step 5")
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(10) == 3
    assert child.journal[-1] == "stopped terminated"
    assert LEFT in child.output
    assert b"\x1b[?1003l" in child.output[child.output.rindex(ENTERED) :], "the mouse is still reported"
    assert b"saving" in child.output[child.output.index(LEFT) :]


def test_sigterm_after_a_hang_up_still_saves(child: Child, tmp_path: Path) -> None:
    child.read_until("step 5")
    child.close()
    time.sleep(0.5)
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(10, reading=False) == 3
    assert child.journal[-1] == "stopped terminated"
    assert not (tmp_path / "deserted").exists()


def test_a_second_sigterm_ends_at_once(child: Child) -> None:
    child.read_until("step 5")
    os.kill(child.pid, signal.SIGTERM)
    time.sleep(0.1)
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(5) == 1
    assert child.journal[-1] == "ended now"
    assert LEFT in child.output


def test_a_terminal_that_stops_reading_does_not_slow_training(child: Child) -> None:
    child.read_until("step 5")
    time.sleep(1.5)  # nobody reads: the tty's buffer and the writer's queue are full by now
    before = len(child.journal)
    time.sleep(2.0)
    assert len(child.journal) - before > 60


def test_a_terminal_that_stops_reading_does_not_block_the_app(child: Child) -> None:
    child.read_until("step 5")
    time.sleep(1.5)
    os.write(child.master, b"q")
    assert child.wait(15, reading=False) == 3
    assert child.journal[-1] == "stopped terminated"


def test_the_whole_screen_is_sent_again_after_a_stall(child: Child) -> None:
    child.read_until("step 5")
    child.read(0.5)
    assert b"THIS NEVER CHANGES" in child.output
    child.output = b""
    child.read(0.5)
    assert b"THIS NEVER CHANGES" not in child.output
    time.sleep(2.0)
    child.read(1.5)
    assert b"THIS NEVER CHANGES" in child.output


def test_nothing_that_libraries_print_reaches_the_screen(child: Child) -> None:
    child.read_until("step 9")
    os.kill(child.pid, signal.SIGTERM)
    child.wait(10)
    logged = (child.folder / "app.log").read_text()
    for words in ("a C library prints", "and complains", "python prints"):
        assert words in logged
        assert words.encode() not in child.output


def test_a_mistake_in_the_app_is_shown_and_the_training_is_saved(child: Child) -> None:
    child.read_until("step 5")
    os.write(child.master, b"e")
    assert child.wait(15) == 3
    assert b"a mistake in the app" in child.output
    assert child.journal[-1] == "stopped terminated"


def test_the_size_is_the_terminals_own(child: Child) -> None:
    child.read_until("step 5")
    fcntl.ioctl(child.master, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
    os.kill(child.pid, signal.SIGWINCH)
    child.read(0.5)
    child.output = b""
    child.read(0.5)
    assert b"\x1b[10;" in child.output
    assert b"\x1b[11;" not in child.output
