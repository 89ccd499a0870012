"""The whole program on a real pseudo-terminal: what a crash leaves, two terminals at one run, odd sizes, dumb ones."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.runs.history import summary
from core.runs.lock import owner
from dbtui.drafts import list_drafts
from tests.dbtui.terminals import Terminal
from tests.runs.conftest import ROOT
from tests.runs.fakes import make_run

Open = Callable[..., "Program"]


class Program(Terminal):
    """`dbtui` with `words`."""

    def __init__(self, home: Path, words: tuple[str, ...], term: str) -> None:
        super().__init__("-m", "dbtui", *words, "--home", str(home), TERM=term, XDG_CONFIG_HOME=str(home / "set"))
        self.ended = False

    @property
    def text(self) -> str:
        """Everything it has sent, without what moves and colours."""
        return re.sub(r"\x1b\[[0-9;?<>=]*[a-zA-Z]", "", self.output.decode("utf-8", "replace"))

    def until(self, shows: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while shows not in self.text:
            assert time.monotonic() < deadline, self.text[-3000:]
            self.read(0.1)

    def press(self, keys: str, pause: float = 0.3) -> None:
        self.output = b""
        os.write(self.master, keys.encode())
        self.read(pause)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.ended = True

    def code(self, seconds: float = 30) -> int:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = True
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(self.text[-2000:])

    @property
    def is_alive(self) -> bool:
        return os.waitpid(self.pid, os.WNOHANG)[0] == 0


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    programs: list[Program] = []

    def open_one(*words: str, term: str = "xterm-256color") -> Program:
        programs.append(Program(tmp_path, words, term))
        return programs[-1]

    yield open_one
    for program in programs:
        if not program.ended:
            program.kill()
        os.close(program.master)


def test_what_was_typed_is_there_again_after_the_program_was_killed(tmp_path: Path, opened: Open) -> None:
    first = opened()
    first.until("Welcome")
    first.press("n")
    first.until("Model")
    first.read(1.0)
    first.press("\tmy-clock", pause=0.1)
    first.read(1.0)  # a draft is kept within a second of the last key
    first.kill()
    (draft,) = list_drafts(tmp_path)
    assert "my-clock" in draft.texts.values()
    second = opened()
    second.until("~ draft")
    second.until("my-clock" if draft.title else "no name yet")
    second.press("\r")
    second.until("my-clock")


def test_two_terminals_watch_one_run_and_one_that_goes_takes_nothing_with_it(tmp_path: Path, opened: Open) -> None:
    run = make_run(tmp_path, "clock")
    trainer = subprocess.Popen([sys.executable, "-m", "tests.runs.fakes", str(tmp_path), "clock", "--slow"], cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while owner(run.lock_path) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        both = [opened("attach", "clock"), opened("attach")]
        for program in both:
            program.until("/100,000")
            program.until("Machine")  # the list of runs tells the steps, too: it may be seen for an instant
        both[0].press("p", pause=3.0)
        both[1].until("paused")
        assert summary(run).state == "paused"
        both[1].press("p", pause=3.0)
        os.kill(both[0].pid, signal.SIGKILL)
        before = summary(run).step
        both[1].read(3.0)
        assert both[1].is_alive and trainer.poll() is None
        assert summary(run).step > before
    finally:
        trainer.kill()
        trainer.wait()


def test_any_size_is_taken_and_the_screen_is_whole_again_afterwards(tmp_path: Path, opened: Open) -> None:
    make_run(tmp_path, "clock")
    program = opened()
    program.until("not started")
    program.read(1.0)
    for rows, columns in ((5, 20), (1, 1), (0, 0), (50, 160)):
        program.resize(rows, columns)
        program.read(0.7)
        assert program.is_alive
    program.output = b""
    program.resize(24, 80)
    program.until("not started")
    program.press("n")
    program.until("Model")


def test_started_where_the_terminal_tells_no_size(tmp_path: Path, opened: Open) -> None:
    program = opened()
    program.resize(0, 0)
    program.until("Welcome")


def test_a_terminal_that_only_takes_lines_is_told_of_the_commands(opened: Open) -> None:
    program = opened(term="dumb")
    assert program.code() == 2
    told = " ".join(program.text.split())
    assert "TERM=dumb" in told and "dbtui train" in told
    assert b"\x1b" not in program.output


def test_the_queue_is_listed_in_such_a_terminal(opened: Open) -> None:
    program = opened("queue", "list", term="dumb")
    assert program.code() == 0
    assert "Nothing waits" in program.text
    assert b"\x1b" not in program.output
