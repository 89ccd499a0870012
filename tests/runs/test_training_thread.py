"""Training in a thread of the app and in processes of its own: requests, signals, a death, a silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from core.events import Failed, Paused, RunStarted, Stopped
from core.runs import pump
from core.runs.commands import send
from core.runs.folder import Run
from core.runs.journal import History, read_journal, summary
from core.runs.lock import owner
from core.runs.pump import TrainingHandle
from core.texts import UserError
from tests.runs.bodies import last
from tests.runs.conftest import ROOT, Spawn, until
from tests.runs.fakes import FakeTrainer


def test_a_thread_trains_and_takes_requests(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make = lambda config, folder, resume, poll: FakeTrainer(folder, resume, poll, total=10**6, seconds=0.01)  # noqa: E731
    monkeypatch.setattr(pump, "make_trainer", make)
    handle = TrainingHandle(run, resume=False)
    assert handle.running
    assert not handle._thread.daemon
    pause = handle.request("pause")
    until(lambda: any(isinstance(event, Paused) and event.id == pause for event in read_journal(run.journal_path)))
    assert handle.join(timeout=0.05) is None
    handle.request("stop", reason="background")
    ending = handle.join(timeout=20)
    assert ending is not None
    assert ending.exit_code == 3
    assert not handle.running
    assert owner(run.lock_path) is None
    event = last(run)
    assert isinstance(event, Stopped)
    assert event.reason == "background"


def test_a_thread_is_refused_where_it_is_asked_for(run: Run, spawn: Spawn) -> None:
    spawn(run, "--slow")
    with pytest.raises(UserError) as refused:
        TrainingHandle(run, resume=True)
    assert refused.value.code == "run.locked"


def test_the_main_thread_hears_signals_while_it_waits(run: Run) -> None:
    program = f"""
import os, signal, sys, pathlib
from core.runs import pump
from core.runs.folder import Run
from tests.runs.fakes import FakeTrainer
pump.make_trainer = lambda config, folder, resume, poll: FakeTrainer(folder, resume, poll, total=10**6, seconds=0.01)
handle = pump.TrainingHandle(Run.open(pathlib.Path({str(run.home)!r}), {run.name!r}), resume=False)
def ask(number, frame):
    signal.signal(number, lambda *_: (handle.end_now(), os._exit(1)))
    if sys.argv[1] == "once": handle.request("stop", reason="terminated")
signal.signal(signal.SIGTERM, ask)
print("ready", flush=True)
sys.exit(handle.join().exit_code)
"""

    def begin(mode: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", program, mode], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        return process

    first = begin("once")
    assert first.wait(20) == 3
    event = last(run)
    assert isinstance(event, Stopped)
    assert event.reason == "terminated"

    run.journal_path.unlink()
    second = begin("twice")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.5)
    second.terminate()
    assert second.wait(20) == 1
    event = last(run)
    assert isinstance(event, Failed)
    assert event.code == "run.interrupted"
    assert owner(run.lock_path) is None


def test_a_killed_run_is_lost_and_goes_on_from_what_it_saved(run: Run, spawn: Spawn) -> None:
    process = spawn(run, "--slow")
    until(lambda: summary(run).step >= 3)
    send(run, "save")
    until(lambda: (run.path / "fake-state").exists())
    saved = int((run.path / "fake-state").read_text())
    until(lambda: summary(run).step > saved + 1)
    process.kill()
    process.wait()
    assert summary(run).state == "lost"
    assert summary(run).pid == 0
    again = spawn(run, "--slow", "--resume")
    until(lambda: summary(run).step > saved)
    send(run, "stop")
    assert again.wait(20) == 3
    events = read_journal(run.journal_path)
    history = History()
    history.add(events)
    lives = [event.resumed_from for event in events if isinstance(event, RunStarted)]
    assert lives == [None, saved]
    assert history.series("loss", 10**6)[0] == list(range(1, history.step + 1))
    assert history.state == "stopped"


def test_a_hanging_run_is_seen_by_its_silence(run: Run, spawn: Spawn) -> None:
    process = spawn(run, "--slow")
    until(lambda: summary(run).step >= 2)
    os.kill(process.pid, signal.SIGSTOP)
    os.utime(run.lock_path, (0, run.lock_path.stat().st_mtime - 100))
    found = summary(run)
    assert found.state == "training"
    assert found.pid == process.pid
    assert found.silence is not None
    assert found.silence > 90
