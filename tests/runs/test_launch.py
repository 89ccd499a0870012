"""Training in a process of its own: it outlives whoever started it, and an early death is told."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import termios
import time
import types
from pathlib import Path
from typing import cast

import pytest

from core import machine
from core.events import Event, Paused, Stopped
from core.machine import VISIBLE
from core.place import Place
from core.runs import launch
from core.runs.folder import Run
from core.runs.journal import JournalWriter, summary
from core.runs.launch import (
    TrainingHandle,
    _see_only,
    command_line,
    hand_over,
    launch_background,
    launch_thread,
    seeing,
)
from core.runs.lock import RunLock, owner
from core.runs.pump import Ending
from core.texts import UserError
from tests.dbtui import synthetic
from tests.runs.conftest import ROOT, Spawn, until
from tests.runs.fakes import FakeTrainer, make_run


@pytest.fixture
def background(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the background process is: the fake program with these options."""
    options: list[str] = []

    def command(run: Run, resume: bool) -> list[str]:
        more = ["--resume"] if resume else []
        return [sys.executable, "-m", "tests.runs.fakes", str(run.home), run.name, *options, *more]

    monkeypatch.setattr(launch, "command_line", command)
    monkeypatch.chdir(ROOT)
    return options


def test_the_background_process_holds_the_lock_in_a_session_of_its_own(run: Run, background: list[str]) -> None:
    background.append("--slow")
    pid = launch_background(run, resume=False)
    try:
        holder = owner(run.lock_path)
        assert holder is not None
        assert holder.pid == pid
        assert os.getsid(pid) == pid != os.getsid(0)
        files = {number: str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)}
        assert files == {0: "/dev/null", 1: str(run.log_path), 2: str(run.log_path)}
    finally:
        os.kill(pid, 9)
    until(lambda: not Path(f"/proc/{pid}").exists())  # no zombie stays


def test_it_outlives_who_started_it_and_the_terminal(run: Run) -> None:
    program = f"""
import pathlib, sys
from core import machine
from core.events import Event, Paused, Stopped
from core.machine import VISIBLE
from core.place import Place
from core.runs import launch
from core.runs.folder import Run
run = Run.open(pathlib.Path({str(run.home)!r}), {run.name!r})
launch.command_line = lambda run, resume: [
    sys.executable, "-m", "tests.runs.fakes", str(run.home), run.name, "--slow"]
print(launch.launch_background(run, resume=False), flush=True)
input()
"""
    master, slave = os.openpty()
    starter = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=slave, stdout=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    try:
        os.close(master)  # the terminal goes: SIGHUP to its session
        assert starter.wait(20) != 0
        before = summary(run).step
        until(lambda: summary(run).step > before + 2)
        holder = owner(run.lock_path)
        assert holder is not None
        assert holder.pid == pid
    finally:
        os.kill(pid, 9)


def test_an_early_death_is_told_with_its_last_words(run: Run, background: list[str]) -> None:
    run.log_path.write_text("words of an earlier life\n")
    background.append("--die")
    with pytest.raises(UserError) as failed:
        launch_background(run, resume=False)
    assert failed.value.code == "launch.failed"
    assert "something went wrong early" in str(failed.value)
    assert "code 7" in str(failed.value)
    assert "earlier life" not in str(failed.value)
    assert str(run.log_path) in str(failed.value)


def test_a_process_that_never_takes_the_lock_is_ended_and_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launch, "START_SECONDS", 0.5)
    monkeypatch.setattr(launch, "command_line", lambda *_: ["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"])
    began = time.monotonic()
    with pytest.raises(UserError, match="had not started"):
        launch_background(run, resume=False)
    assert time.monotonic() - began < 5
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_a_run_in_other_hands_is_refused_at_once(run: Run, spawn: Spawn) -> None:
    process = spawn(run, "--slow")
    for launched in (launch_background, launch_thread):
        with pytest.raises(UserError) as refused:
            launched(run, resume=True)
        assert refused.value.code == "run.locked"
        assert str(process.pid) in str(refused.value)


def test_a_run_so_short_that_it_is_over_already_is_no_failure(run: Run, background: list[str]) -> None:
    assert launch_background(run, resume=False) > 0
    until(lambda: summary(run).state == "done")


def test_the_command_line_cannot_be_led_astray_by_the_current_directory(run: Run) -> None:
    assert command_line(run, resume=True) == [
        sys.executable, "-P", "-m", "dbtui", "train", run.name, "--home", str(run.home), "--resume",
    ]  # fmt: skip
    assert "--resume" not in command_line(run, resume=False)


def test_a_thread_is_launched(run: Run, trainers: list[FakeTrainer]) -> None:
    seen: list[object] = []
    ending = launch_thread(run, resume=False, on_event=seen.append).join(20)
    assert ending is not None
    assert ending.kind == "done"
    assert seen


def test_a_command_that_sees_some_cards_becomes_the_trainer_itself() -> None:
    assert seeing(()) == []
    script = "import os; print(os.getpid(), os.environ['CUDA_VISIBLE_DEVICES'])"
    child = subprocess.Popen([*seeing(("GPU-a", "GPU-b")), sys.executable, "-c", script], stdout=subprocess.PIPE)
    said = child.communicate()[0].decode().split()
    assert said == [str(child.pid), "GPU-a,GPU-b"]


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A torch in which CUDA has not begun, in a program that was started with card 0."""
    monkeypatch.setenv(VISIBLE, "0")
    monkeypatch.setattr(machine, "_chosen", None)
    made = types.SimpleNamespace(cuda=types.SimpleNamespace(is_initialized=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", made)
    return made


def test_cards_are_chosen_before_cuda_begins_and_not_changed_afterwards(torch: types.SimpleNamespace) -> None:
    _see_only(["GPU-b"])
    assert os.environ[VISIBLE] == "GPU-b"
    torch.cuda.is_initialized = lambda: True
    with pytest.raises(UserError) as caught:
        _see_only(["0"])
    assert caught.value.code == "launch.cards"
    _see_only(["GPU-b"])
    _see_only([])
    assert os.environ[VISIBLE] == "GPU-b"


@pytest.mark.parametrize("started_with", [None, "0"])
def test_the_cards_of_a_run_in_this_program_are_those_of_no_other_process(
    run: Run, trainers: list[FakeTrainer], torch: types.SimpleNamespace, background: list[str],
    started_with: str | None, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if started_with is None:
        monkeypatch.delenv(VISIBLE)
    launch_thread(run, resume=False, cards=("GPU-b",)).join(20)
    assert (os.environ[VISIBLE], machine.chosen_cards()) == ("GPU-b", ("GPU-b",))
    assert machine.environment_at_start().get(VISIBLE) == started_with
    other = make_run(run.home, "other")
    background.append("--tell")
    launch_background(other, resume=False)
    assert (other.path / "told").read_text().split("|")[0] == (started_with or "")
    launch_thread(make_run(run.home, "third"), resume=False).join(20)
    assert os.environ.get(VISIBLE) == started_with


def test_a_start_that_is_refused_leaves_the_cards_as_they_were(run: Run, torch: types.SimpleNamespace) -> None:
    _see_only(["GPU-a"])
    with RunLock(run.lock_path), pytest.raises(UserError):
        launch_thread(run, resume=False, cards=("GPU-b",))
    assert os.environ[VISIBLE] == "GPU-a"
    _see_only([])
    assert os.environ[VISIBLE] == "0"


def test_a_program_that_still_belongs_to_processes_that_failed_leads_no_others(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = types.SimpleNamespace(is_available=lambda: True, is_initialized=lambda: True)
    monkeypatch.setitem(sys.modules, "torch.distributed", left)
    monkeypatch.setattr(launch, "TrainingHandle", lambda run, **_: run)
    with pytest.raises(UserError) as refused:
        launch_thread(run, resume=False, place=Place(count=2, local_count=2))
    assert refused.value.code == "launch.processes"
    assert launch_thread(run, resume=False) == run
    left.is_initialized = lambda: False
    assert launch_thread(run, resume=False, place=Place(count=2, local_count=2)) == run


class Over:
    """A thread whose run has ended so."""

    def __init__(self, run: Run, event: Event) -> None:
        self.run, self.ending = run, Ending("stopped", 3, event)


@pytest.mark.parametrize("paused", [False, True])
def test_what_was_stopped_for_the_background_goes_on_there_though_nobody_is_left_to_start_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, paused: bool
) -> None:
    journal = JournalWriter(run.journal_path)
    for event in [synthetic.step(3), *([Paused(step=3)] if paused else [])]:
        journal.write(event)
    journal.close()
    started: list[tuple[str, bool]] = []
    asked: list[str] = []
    monkeypatch.setattr(launch, "launch_background", lambda run, resume, cards: started.append((run.name, resume)))
    monkeypatch.setattr(launch, "send", lambda run, command: asked.append(command))
    for reason in ("user", "terminated"):
        hand_over(cast("TrainingHandle", Over(run, Stopped(step=3, saved=True, reason=reason))))
    assert not started
    over = cast("TrainingHandle", Over(run, Stopped(step=3, saved=True, reason="background")))
    with RunLock(run.lock_path):
        hand_over(over)
    assert not started, "another process has it already"
    hand_over(over)
    assert started == [(run.name, True)] and asked == (["pause"] if paused else [])
