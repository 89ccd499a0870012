"""Around the trainer: whatever happens becomes an event, a line in the log, an exit code, and a free lock."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from core.events import Done, Event, Failed, Phase, Step, Stopped, Warned
from core.files import STAGING, LineAppender
from core.runs import journal as journal_module
from core.runs import pump
from core.runs.commands import Command, Requests, new_command, send
from core.runs.folder import Run
from core.runs.journal import JournalWriter, read_journal, summary
from core.runs.lock import owner
from core.runs.pump import train
from core.settings import settings_path
from core.texts import UserError
from tests.runs.bodies import Body, failing
from tests.runs.conftest import ROOT
from tests.runs.fakes import FakeTrainer, started, step


def test_a_run_to_its_end_is_journaled_shown_and_unlocked(run: Run, trainers: list[FakeTrainer]) -> None:
    shown: list[Event] = []
    ending = train(run, resume=False, on_event=shown.append)
    assert (ending.kind, ending.exit_code) == ("done", 0)
    assert isinstance(ending.event, Done)
    assert shown == read_journal(run.journal_path)
    assert [event.step for event in shown if isinstance(event, Step)] == list(range(1, 11))
    assert trainers[0].closed
    assert owner(run.lock_path) is None
    assert summary(run).state == "done"


def test_the_lock_is_held_while_it_trains(run: Run, trainers: list[FakeTrainer]) -> None:
    holders = []
    train(run, resume=False, on_event=lambda event: holders.append(owner(run.lock_path)))
    assert {holder.pid for holder in holders if holder} == {os.getpid()}
    assert None not in holders


def test_a_started_run_is_not_begun_again_without_saying_so(run: Run, trainers: list[FakeTrainer]) -> None:
    train(run, resume=False)
    before = run.journal_path.read_bytes()
    with pytest.raises(UserError) as refused:
        train(run, resume=False)
    assert refused.value.code == "run.started"
    assert "--resume" in str(refused.value)
    assert run.journal_path.read_bytes() == before
    train(run, resume=True)
    assert [trainer.resume for trainer in trainers] == [False, True]


def test_a_stop_keeps_the_state_and_exits_with_three(run: Run, trainers: list[FakeTrainer]) -> None:
    requests = Requests()
    requests.put(wish := new_command("stop", reason="terminated"))
    ending = train(run, resume=False, stop_requests=requests)
    assert (ending.kind, ending.exit_code) == ("stopped", 3)
    event = ending.event
    assert isinstance(event, Stopped)
    assert (event.saved, event.reason, event.id) == (True, "terminated", wish.id)


def test_a_discarding_stop_saves_nothing_and_keeps_the_folder(run: Run, trainers: list[FakeTrainer]) -> None:
    requests = Requests()
    requests.put(new_command("stop", discard=True))
    ending = train(run, resume=False, stop_requests=requests)
    assert isinstance(ending.event, Stopped)
    assert not ending.event.saved
    assert ending.exit_code == 3
    assert not (run.path / "fake-state").exists()
    assert run.config_path.exists()


def test_commands_of_the_file_and_of_this_process_are_merged(run: Run, trains: Callable[[Body], None]) -> None:
    heard: list[str] = []
    requests = Requests()

    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield started()
        requests.put(new_command("pause"))
        send(run, "save")
        heard.extend(command.command for command in poll())
        heard.extend(command.command for command in poll())
        yield Done(step=0, seconds=0.0)

    trains(body)
    train(run, resume=False, stop_requests=requests)
    assert sorted(heard) == ["pause", "save"]


def test_the_trainer_is_closed_when_it_is_left_in_the_middle(run: Run, trainers: list[FakeTrainer]) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as left:
        train(run, resume=False, on_event=interrupt)
    assert left.tb is not None, "it keeps the generator alive"
    assert trainers[0].closed


def test_a_view_that_fails_does_not_kill_training(run: Run, trainers: list[FakeTrainer]) -> None:
    calls: list[Event] = []

    def show(event: Event) -> None:
        calls.append(event)
        raise RuntimeError("the screen is gone")

    assert train(run, resume=False, on_event=show).kind == "done"
    assert len(calls) == len(read_journal(run.journal_path))
    assert run.log_path.read_text().count("Traceback") == 1


def test_what_libraries_log_and_warn_of_goes_into_the_log(
    run: Run, trains: Callable[[Body], None], capfd: pytest.CaptureFixture[str]
) -> None:
    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        logging.getLogger("diffusers.models").warning("an odd config")
        warnings.warn("an old call", stacklevel=1)
        yield Done(step=0, seconds=0.0)

    before = list(logging.getLogger().handlers)
    trains(body)
    train(run, resume=False)
    assert logging.getLogger().handlers == before
    log = run.log_path.read_text()
    assert "an odd config" in log
    assert "an old call" in log
    assert capfd.readouterr() == ("", "")


def test_leftovers_of_a_killed_life_are_swept_before_it_starts(run: Run, trainers: list[FakeTrainer]) -> None:
    for place in (run.path, run.checkpoints, run.samples / "step-000001", run.path / "class" / "clock"):
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{STAGING}dead-0a").mkdir()
    train(run, resume=False)
    assert not [path for path in run.path.rglob("*") if path.name.startswith(STAGING)]


def test_a_run_that_vanishes_ends_with_a_name_and_is_not_made_again(
    run: Run, trains: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.runs import lock

    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.0)

    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield started()
        shutil.move(folder, folder.parent.parent / "moved")
        poll()
        yield Done(step=0, seconds=0.0)

    trains(body)
    event = train(run, resume=False).event
    assert isinstance(event, Failed)
    assert event.code == "run.vanished"
    assert not run.path.exists()


def test_a_configuration_that_cannot_be_read_is_refused_before_anything_is_said(run: Run) -> None:
    run.config_path.write_text("model = 3")
    with pytest.raises(UserError):
        train(run, resume=False)
    assert not run.journal_path.exists()
    assert owner(run.lock_path) is None


def test_a_full_disk_under_the_journal_never_stops_training_and_is_told(
    run: Run, trains: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "RETRY_SECONDS", 0.02)
    full = threading.Event()

    class Disk(LineAppender):
        def append(self, line: str) -> None:
            if full.is_set():
                raise OSError(errno.ENOSPC, "No space left on device")
            super().append(line)

    monkeypatch.setattr(pump, "JournalWriter", lambda path: JournalWriter(path, open_file=Disk))
    shown: list[Event] = []

    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield started()
        full.set()
        number = 0
        while not any(isinstance(event, Warned) for event in shown):
            number += 1
            yield step(number)
        full.clear()
        yield Done(step=number, seconds=0.0)

    trains(body)
    assert train(run, resume=False, on_event=shown.append).kind == "done"
    warning = next(event for event in shown if isinstance(event, Warned))
    assert warning.code == "journal.trouble"
    assert "no room" in warning.message
    kept = read_journal(run.journal_path)
    assert [event for event in kept if isinstance(event, Step)] == [event for event in shown if isinstance(event, Step)]
    assert isinstance(kept[-1], Done)


def test_training_needs_torch_only_when_it_trains() -> None:
    program = (
        "import sys, core.runs.pump, core.runs.launch, core.runs.journal, core.runs.folder, core.machine\n"
        "heavy = ('torch', 'numpy', 'PIL', 'diffusers', 'transformers', 'textual')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_phases_quiet_libraries_that_were_imported_meanwhile(
    run: Run, trains: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    class Control:
        def __getattr__(self, name: str) -> Callable[[], None]:
            return lambda: calls.append(name)

    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        monkeypatch.setitem(sys.modules, "diffusers.utils.logging", Control())
        yield Phase(name="loading")
        yield Done(step=0, seconds=0.0)

    monkeypatch.delitem(sys.modules, "diffusers.utils.logging", raising=False)
    trains(body)
    train(run, resume=False)
    assert {"disable_progress_bar", "disable_default_handler", "enable_propagation"} <= set(calls)
    assert re.search(r"^disable", calls[0])


def test_the_users_command_is_run_at_the_end_and_what_went_wrong_with_it_is_told(
    run: Run, trains: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('[notify]\ncommand = ["sh", "-c", "echo $DBTUI_RUN $DBTUI_STATE $DBTUI_STEP; exit 4"]')
    trains(failing(OSError(errno.ENOSPC, "No space left on device")))
    ending = train(run, resume=False)
    assert ending.kind == "failed"
    events = read_journal(run.journal_path)
    assert [event.kind for event in events[-2:]] == ["failed", "warning"]
    assert "code 4" in events[-1].message  # type: ignore[attr-defined]
    assert f"{run.name} failed 2" in run.log_path.read_text()
    assert summary(run).state == "failed"
