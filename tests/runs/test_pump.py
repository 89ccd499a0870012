"""Around the trainer: whatever happens becomes an event, a line in the log, an exit code, and a free lock."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Done, Event, Failed, Paused, Phase, RunStarted, Step, Stopped, Warned
from core.files import STAGING, LineAppender
from core.planning.remedies import remedies
from core.runs import journal as journal_module
from core.runs import pump
from core.runs.commands import Command, Requests, new_command, send
from core.runs.folder import Run
from core.runs.journal import History, JournalWriter, read_journal, summary
from core.runs.lock import owner
from core.runs.pump import TrainingHandle, train
from core.settings import settings_path
from core.texts import UserError
from core.training import faults
from tests.runs.conftest import ROOT, Spawn, until
from tests.runs.fakes import FakeTrainer, started, step

Body = Callable[[Path, Callable[[], Sequence[Command]]], Iterator[Event]]


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch) -> Callable[[Body], None]:
    """Let the trainer be this generator."""

    def use(body: Body) -> None:
        class Trainer:
            def __init__(self, folder: Path, poll: Callable[[], Sequence[Command]]) -> None:
                self.folder, self.poll = folder, poll

            def run(self) -> Iterator[Event]:
                yield from body(self.folder, self.poll)

        monkeypatch.setattr(pump, "make_trainer", lambda config, folder, resume, poll: Trainer(folder, poll))

    return use


def failing(error: BaseException) -> Body:
    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield started()
        yield step(1)
        yield step(2)
        raise error

    return body


def last(run: Run) -> Event:
    return read_journal(run.journal_path)[-1]


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


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            UserError("source.cut", "{path} is cut short.", mend="Get it {again}.", path="a", again="again"),
            "source.cut",
        ),
        (MemoryError(), "memory.out"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory.out"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), "memory.out"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk.full"),
        (OSError(errno.EIO, "Input/output error"), "disk.broken"),
        (ZeroDivisionError("division\nby zero"), "internal"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/a.png"), "disk.missing"),
    ],
)
def test_every_failure_becomes_an_event_with_its_mend(
    run: Run, trains: Callable[[Body], None], error: Exception, code: str
) -> None:
    trains(failing(error))
    ending = train(run, resume=False)
    assert (ending.kind, ending.exit_code) == ("failed", 1)
    event = ending.event
    assert isinstance(event, Failed)
    assert event == last(run)
    assert (event.code, event.step) == (code, 2)
    assert event.message
    assert event.advice
    assert "\n" not in event.message
    log = run.log_path.read_text()
    assert "Traceback" in log
    assert type(error).__name__ in log
    assert owner(run.lock_path) is None


def test_the_message_of_a_failure_names_what_it_is_about(run: Run, trains: Callable[[Body], None]) -> None:
    trains(
        failing(UserError("source.cut", "{path} is cut short.", mend="Get it {again}.", path="a.ckpt", again="anew"))
    )
    event = train(run, resume=False).event
    assert isinstance(event, Failed)
    assert (event.message, event.advice) == ("a.ckpt is cut short.", "Get it anew.")


def test_advice_for_lack_of_memory_leaves_out_what_is_in_force(run: Run, trains: Callable[[Body], None]) -> None:
    config = with_changes(run.config(), {"performance.gradient_checkpointing": True, "batch.size": 4})
    from core.config.runfile import to_toml

    run.config_path.write_text(to_toml(config))
    trains(failing(MemoryError()))
    event = train(run, resume=False).event
    assert isinstance(event, Failed)
    assert "gradient_checkpointing" not in event.advice
    assert event.advice.index("batch.size = 1, batch.accumulation = 4") < event.advice.index("model.resolution")


def test_what_is_said_of_lack_of_memory_is_what_is_offered_after_it() -> None:
    config = RunConfig()
    for error, size in ((faults.out_of_memory(config, 512), 512), (faults.no_room_for_the_optimizer(config), None)):
        said = error.message.advice
        places = [said.find(fix.label.text) for fix in remedies(error.code, config, size)]
        assert places and places == sorted(places) and -1 not in places
        assert ("384" in said) is (size is not None)


def test_an_ending_without_a_word_is_a_mistake_of_the_program(run: Run, trains: Callable[[Body], None]) -> None:
    trains(lambda folder, poll: iter([started()]))
    event = train(run, resume=False).event
    assert isinstance(event, Failed)
    assert event.code == "internal"


def test_a_failure_after_the_last_word_is_the_last_word(run: Run, trains: Callable[[Body], None]) -> None:
    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield Done(step=1, seconds=1.0)
        raise ZeroDivisionError

    trains(body)
    assert train(run, resume=False).kind == "failed"
    assert summary(run).state == "failed"


def test_an_interrupt_inside_the_trainer_is_told_and_goes_on_up(run: Run, trains: Callable[[Body], None]) -> None:
    trains(failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        train(run, resume=False)
    event = last(run)
    assert isinstance(event, Failed)
    assert event.code == "run.interrupted"
    assert owner(run.lock_path) is None


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


# --- in a thread ------------------------------------------------------------------------------------------------


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


# --- other processes --------------------------------------------------------------------------------------------


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
