"""The worker of the queue, whom a failing run, a signal or its own death does not confuse."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.events import Failed, Stopped
from core.files import explain
from core.runs import launch
from core.runs.folder import Run
from core.runs.history import ending_of, summary
from core.runs.journal import JournalWriter
from core.runs.lock import owner
from core.runs.queue import (
    LOG,
    add,
    ask_to_end,
    begin,
    lock_path,
    queue_directory,
    read_queue,
    remove,
    start,
)
from core.runs.worker import LOOK_SECONDS, Worker
from core.texts import Message, UserError
from tests.runs.conftest import ROOT, Spawn, until
from tests.runs.fakes import make_run
from tests.runs.queued import PROGRAM, Working, names, starts, waiting

NOTES_SIGNALS = """
import signal, sys, time
from pathlib import Path

def note(number, frame):
    with Path(sys.argv[1]).open("a") as file:
        file.write(signal.Signals(number).name + "\\n")
    if number == signal.SIGINT:
        sys.exit(1)

signal.signal(signal.SIGTERM, note)
signal.signal(signal.SIGINT, note)
Path(sys.argv[1]).touch()
time.sleep(60)
"""


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Callable[[], Working]]:
    begun: list[Working] = []

    def begin_one() -> Working:
        begun.append(Working(tmp_path))
        return begun[-1]

    yield begin_one
    for one in begun:
        one.process.kill()
        one.process.wait()
    for path in (tmp_path / "runs").iterdir():
        holder = owner(path / "lock")
        if holder is not None:
            os.kill(holder.pid, signal.SIGKILL)


def test_everything_is_trained_in_order_and_a_failure_stops_no_other(
    tmp_path: Path, working: Callable[[], Working]
) -> None:
    first, bad, last = waiting(tmp_path, "first", "bad", "last")
    (bad.path / "options").write_text("--die")
    worker = working()
    told = worker.told()
    assert worker.process.returncode == 0
    assert told == ["queue.begins first", "queue.done first", "queue.begins bad", "queue.failed bad",
                    "queue.begins last", "queue.done last", "queue.all-done"]  # fmt: skip
    assert (summary(first).state, summary(bad).state, summary(last).state) == ("done", "new", "done")
    assert names(tmp_path) == []


def test_a_run_that_is_gone_is_passed_over(tmp_path: Path, working: Callable[[], Working]) -> None:
    gone, last = waiting(tmp_path, "gone", "last")
    gone.delete()
    assert working().told()[0] == "queue.passed-over gone"
    assert summary(last).state == "done"


def test_a_run_that_is_refused_when_its_turn_comes_says_why(tmp_path: Path, commands: dict[str, str]) -> None:
    (run,) = waiting(tmp_path, "clock")  # it has no pictures and no model
    commands["clock"] = "exit 2"
    said: list[Message] = []
    assert Worker(tmp_path, said.append).work() == 0
    assert [one.code for one in said] == ["queue.begins", "queue.passed-over", "queue.all-done"]
    assert "No source model is chosen" in said[1].text
    ending = ending_of(run)
    assert isinstance(ending, Failed) and ending.code == "source.none" and "demo" in ending.advice
    assert owner(run.lock_path) is None


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What trains each run, as shell commands: nothing where none is named."""
    scripts: dict[str, str] = {}
    monkeypatch.setattr(launch, "command_line", lambda run, resume: ["sh", "-c", scripts.get(run.name, ":")])
    monkeypatch.setattr("core.runs.worker.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("core.runs.lock.HEARTBEAT_SECONDS", 0.0)
    return scripts


def test_a_disk_that_is_full_ends_the_worker_and_every_run_still_waits(
    tmp_path: Path, commands: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(tmp_path, "a", "b", "c")

    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("core.runs.queue.write_atomic", full)
    said: list[Message] = []
    assert Worker(tmp_path, said.append).work() == 1
    assert [one.code for one in said] == ["queue.cannot-go-on"]
    assert "no room left" in said[0].text
    assert "Free some space" in said[0].advice
    assert names(tmp_path) == ["a", "b", "c"]
    monkeypatch.undo()
    assert owner(lock_path(tmp_path)) is None


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("subprocess.Popen", BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))),
        ("open_log", explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "train.log")),
    ],
    ids=["process", "log"],
)
def test_a_run_for_which_nothing_starts_still_waits(
    what: str, error: Exception, tmp_path: Path, commands: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(tmp_path, "a", "b")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(f"core.runs.worker.{what}", fail)
    said: list[Message] = []
    assert Worker(tmp_path, said.append).work() == 1
    assert [one.code for one in said] == ["queue.cannot-go-on"]
    assert names(tmp_path) == ["a", "b"]


def test_a_worker_whose_folder_vanishes_waits_for_its_run_before_it_ends(
    tmp_path: Path, commands: dict[str, str]
) -> None:
    run, _ = waiting(tmp_path, "a", "b")
    commands["a"] = f"rm -r {queue_directory(tmp_path)}; sleep 0.3; touch {run.path}/whole"
    said: list[Message] = []
    assert Worker(tmp_path, said.append).work() == 1
    assert [one.code for one in said] == ["queue.begins", "queue.done", "queue.cannot-go-on"]
    assert (run.path / "whole").exists()


def test_one_wish_to_end_is_one_signal_and_the_second_ends_the_run_at_once(
    tmp_path: Path, commands: dict[str, str]
) -> None:
    run, _ = waiting(tmp_path, "a", "b")
    note = run.path / "signals"
    program = run.path / "program.py"
    program.write_text(NOTES_SIGNALS)
    commands["a"] = f"exec {sys.executable} {program} {note}"
    told: list[Message] = []
    worker = Worker(tmp_path, told.append)
    thread = threading.Thread(target=worker.work)
    thread.start()
    until(note.exists)
    worker.stop()
    until(note.read_text)
    time.sleep(0.1)
    assert note.read_text() == "SIGTERM\n"
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert note.read_text().splitlines()[-1] == "SIGINT"
    assert [one.code for one in told] == ["queue.begins", "queue.interrupted", "queue.ended"]
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(("reason", "goes_on"), [("terminated", True), ("user", False)])
def test_a_run_that_was_ended_together_with_its_worker_goes_on_and_one_that_a_person_stopped_does_not(
    reason: str, goes_on: bool, tmp_path: Path, commands: dict[str, str]
) -> None:
    (run,) = waiting(tmp_path, "a")
    begin(tmp_path, read_queue(tmp_path).entries[0])
    journal = JournalWriter(run.journal_path)
    journal.write(Stopped(step=3, saved=True, reason=reason), last=True)
    journal.close()
    said: list[Message] = []
    assert Worker(tmp_path, said.append).work() == 0
    assert ("queue.begins" in [one.code for one in said]) is goes_on
    assert names(tmp_path) == []


def test_two_workers_train_nothing_twice(tmp_path: Path, working: Callable[[], Working]) -> None:
    runs = waiting(tmp_path, "a", "b", "c")
    workers = [working(), working()]
    told = [worker.told() for worker in workers]
    assert sorted(worker.process.returncode for worker in workers) in ([0, 2], [0, 0])
    assert sum(line.startswith("queue.begins") for lines in told for line in lines) == 3
    assert [starts(run) for run in runs] == [1, 1, 1]


def test_what_trains_elsewhere_is_waited_for(tmp_path: Path, working: Callable[[], Working], spawn: Spawn) -> None:
    (run,) = waiting(tmp_path, "clock")
    other = make_run(tmp_path, "other")
    process = spawn(other, "--slow")
    worker = working()
    until(lambda: read_queue(tmp_path).worker is not None)
    assert read_queue(tmp_path).current is None
    until(lambda: summary(other).step > 20)
    assert not run.started
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert worker.told()[0] == "queue.waits-for other"
    assert summary(run).state == "done"


def test_the_worker_that_is_ended_saves_and_its_run_waits_again(tmp_path: Path, working: Callable[[], Working]) -> None:
    run, _ = waiting(tmp_path, "clock", "cat", options="--slow")
    worker = working()
    until(lambda: run.started and summary(run).step > 3)
    with pytest.raises(UserError) as refused:
        remove(tmp_path, "clock")
    assert refused.value.code == "queue.its-turn"
    worker.process.send_signal(signal.SIGTERM)
    assert worker.told()[-2:] == ["queue.interrupted clock", "queue.ended"]
    assert worker.process.returncode == 3
    assert names(tmp_path) == ["clock", "cat"]
    assert not any(entry.begun for entry in read_queue(tmp_path).entries)
    assert owner(run.lock_path) is None


def test_it_can_be_asked_to_end_after_the_run_or_at_once(tmp_path: Path, working: Callable[[], Working]) -> None:
    run, _ = waiting(tmp_path, "clock", "cat", options="--slow")
    with pytest.raises(UserError) as refused:
        ask_to_end(tmp_path)
    assert refused.value.code == "queue.nobody"
    worker = working()
    until(lambda: run.started and summary(run).step > 3)
    ask_to_end(tmp_path)
    assert read_queue(tmp_path).ends
    before = summary(run).step
    until(lambda: summary(run).step > before + 20)
    assert worker.process.poll() is None
    ask_to_end(tmp_path, now=True)
    assert worker.told()[-2:] == ["queue.interrupted clock", "queue.ended"]
    assert names(tmp_path) == ["clock", "cat"]
    assert not read_queue(tmp_path).ends  # the next worker is not ended by it


def test_the_death_of_the_worker_neither_ends_its_run_nor_trains_it_twice(
    tmp_path: Path, working: Callable[[], Working]
) -> None:
    run, _ = waiting(tmp_path, "clock", "cat", options="--slow")
    (Run.open(tmp_path, "cat").path / "options").write_text("")
    worker = working()
    until(lambda: run.started and summary(run).step > 3)
    worker.process.kill()
    worker.process.wait()
    before = summary(run).step
    until(lambda: summary(run).step > before + 3)
    second = working()
    until(lambda: read_queue(tmp_path).worker is not None)
    holder = owner(run.lock_path)
    assert holder is not None
    time.sleep(4 * LOOK_SECONDS)  # it has seen by now that the run trains still
    os.kill(holder.pid, signal.SIGTERM)
    (run.path / "options").write_text("")
    told = second.told()
    assert told[0] == "queue.waits-for clock"
    assert "queue.done cat" in told
    assert names(tmp_path) == []


def test_a_run_that_died_with_the_worker_goes_on(tmp_path: Path, working: Callable[[], Working]) -> None:
    (run,) = waiting(tmp_path, "clock")
    entry = begin(tmp_path, read_queue(tmp_path).entries[0])  # and then the power went
    assert entry is not None
    assert "queue.done clock" in working().told()
    assert summary(run).state == "done"


def test_in_the_background_it_outlives_who_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = waiting(tmp_path, "clock", options="--slow")
    program = tmp_path / "dbtui-queue.py"
    program.write_text(PROGRAM)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    real = subprocess.Popen

    def popen(command: list[str], **more: object) -> object:
        assert command[1:] == ["-P", "-m", "dbtui", "queue", "start", "--home", str(tmp_path)]
        return real([sys.executable, str(program), str(tmp_path)], **more)  # type: ignore[call-overload]

    monkeypatch.setattr(launch.subprocess, "Popen", popen)
    pid = start(tmp_path)
    monkeypatch.undo()
    try:
        holder = owner(lock_path(tmp_path))
        assert holder is not None and holder.pid == pid
        assert os.getsid(pid) == pid
        with pytest.raises(UserError) as refused:
            start(tmp_path)
        assert refused.value.code == "queue.worked"
        until(lambda: run.started and summary(run).step > 3)
        assert "queue.begins clock" in (queue_directory(tmp_path) / LOG).read_text()
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: owner(lock_path(tmp_path)) is None)
    assert owner(run.lock_path) is None


def test_processes_and_cards_are_those_that_were_asked_for(tmp_path: Path, working: Callable[[], Working]) -> None:
    for name, processes, cards in (("two", 2, ()), ("cards", 1, ("GPU-a", "GPU-b", "GPU-c")), ("one", 1, ("GPU-a",))):
        (run,) = waiting(tmp_path, name)
        remove(tmp_path, name)
        add(tmp_path, run, processes=processes, cards=cards)
        (run.path / "options").write_text("--tell")
    working().told()
    told = {name: (tmp_path / "runs" / name / "told").read_text().split("|") for name in ("two", "cards", "one")}
    assert told["two"] == ["", "--tell --processes 2"]
    assert told["cards"] == ["GPU-a,GPU-b,GPU-c", "--tell --processes 3"]
    assert told["one"] == ["GPU-a", "--tell"]


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    said: list[Message] = []
    for begins in (lambda: start(tmp_path), Worker(tmp_path, said.append).work):
        with pytest.raises(UserError) as refused:
            begins()
        assert refused.value.code == "queue.empty"
