"""Drives the trainer of one run: owns its lock, journal, commands and log, and turns whatever happens into an event.

The trainer is a generator of events and knows none of these; it gets its configuration, its folder, and a function
to poll for commands, which is also its heartbeat.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from core.config.options import RunConfig
from core.events import Continued, Done, Event, Failed, Paused, Phase, Step, Stopped, Warned
from core.files import explain, sweep_staging
from core.garbage import LongLived, release
from core.machine import is_out_of_memory
from core.place import ALONE, Place
from core.planning.remedies import ways
from core.runs.commands import Command, CommandReader, Requests, new_command
from core.runs.folder import Run
from core.runs.journal import JournalWriter, read_journal
from core.runs.leading import Others, leading
from core.runs.lives import trained_seconds
from core.runs.lock import RunLock
from core.runs.output import captured_logging, quiet_libraries
from core.runs.telling import is_news, run_command
from core.runs.trackers import Tracking, wanted
from core.texts import Message, UserError, message, say

EXIT_DONE, EXIT_FAILED, EXIT_STOPPED = 0, 1, 3
END_NOW_SECONDS = 2.0

OnEvent = Callable[[Event], None]
Poll = Callable[[], Sequence[Command]]


class TrainerLike(Protocol):
    """What is asked of a trainer: a generator of events that ends with done, stopped or failed."""

    def run(self) -> Iterator[Event]: ...


@dataclass(frozen=True)
class Ending:
    """How a process's part in a run ended, with the event that says so."""

    kind: Literal["done", "stopped", "failed"]
    exit_code: int
    event: Event


def train(
    run: Run, *, resume: bool, on_event: OnEvent | None = None, stop_requests: Requests | None = None,
    place: Place = ALONE,
) -> Ending:  # fmt: skip
    """Train `run` to its end in this thread. Commands come from the commands file and from `stop_requests`. `place` is
    that of the first of all processes that train it.

    Raises `UserError` where it is refused before anything starts: the run is in other hands, was started before
    and is not to be resumed, or cannot be read or written. Everything later becomes a `failed` event.
    """
    with opened(run, resume=resume, place=place) as pump:
        return pump.run(on_event, stop_requests or Requests())


@contextlib.contextmanager
def opened(run: Run, *, resume: bool, place: Place = ALONE) -> Iterator[Pump]:
    """A pump that holds the run's lock, with journal and commands open; all is closed afterwards."""
    with contextlib.ExitStack() as stack:
        try:
            commands = CommandReader(run.commands_path)
            stack.callback(commands.close)
            lock = RunLock(run.lock_path)
            lock.acquire(before_each_try=commands.start_here)
            stack.callback(lock.release)
            log = stack.enter_context(captured_logging(run.log_path))
            config = run.config()
            if run.started and not resume:
                raise UserError("run.started", "{name} was started before.",
                                mend="To go on with it: `dbtui train {name} --resume`. To begin anew, make a run with "
                                "another name.", name=run.name)  # fmt: skip
            for folder, _, _ in os.walk(run.path):
                sweep_staging(Path(folder))
            journal = JournalWriter(run.journal_path)
        except OSError as error:
            raise explain(error, run.path) from error
        tracking = Tracking(list(wanted(config, run.path)), run.journal_path, log)
        tracking.start()
        stack.callback(tracking.close)
        stack.callback(journal.close)
        yield Pump(
            run, config, place, resume=resume, lock=lock, commands=commands, journal=journal, tracking=tracking, log=log
        )


class Pump:
    """One life of a run, from the lock to the ending."""

    def __init__(
        self, run: Run, config: RunConfig, place: Place, *, resume: bool, lock: RunLock, commands: CommandReader,
        journal: JournalWriter, tracking: Tracking, log: logging.Logger,
    ) -> None:  # fmt: skip
        self._run = run
        self._config = config
        self._place = place
        self._others = Others()
        self._resume = resume
        self._lock = lock
        self._commands = commands
        self._journal = journal
        self._tracking = tracking
        self._requests = Requests()
        self._on_event: OnEvent | None = None
        self._log = log
        self._step: int | None = None
        self._ending: Ending | None = None
        self._told_trouble = ""
        self._view_failed = False
        self._stop_passed_on = False
        self.paused = False

    def run(self, on_event: OnEvent | None, requests: Requests) -> Ending:
        """Train to the end; every event goes into the journal, then to `on_event`."""
        self._on_event, self._requests = on_event, requests
        try:
            self._pump()
        except Exception as error:
            self._fail(error)
        except BaseException as error:  # Ctrl+C or an exit inside this thread
            self._tell(_failed(_interrupted(type(error).__name__), self._step))
            raise
        if self._ending is None:
            self._fail(RuntimeError(say("run.wordless", "the trainer ended without saying how")))
        assert self._ending is not None
        release()
        self._tell_of(self._ending.event)
        return self._ending

    def _tell_of(self, ending: Event) -> None:
        """Run the user's command for the end of a run; what went wrong with it is a warning behind the end."""
        if is_news(ending):
            trouble = run_command(self._run.name, ending, self._run.log_path)
            if trouble is not None:
                self._log.warning("%s", trouble)
                self._tell(_warned(trouble))

    def end_now(self) -> None:
        """For a second signal, from any thread: say in the journal that it ended; the process exits right after."""
        self._end_with(_interrupted(say("run.second-signal", "a second signal")))

    def _end_with(self, said: Message) -> None:
        self._others.kill()
        self._journal.write(_failed(said, self._step), last=True)
        self._journal.flush(END_NOW_SECONDS)

    def _pump(self) -> None:
        with LongLived() as long_lived, self._trainer() as trainer:
            quiet_libraries()
            events = trainer.run()
            try:
                for event in events:
                    self._tell(event)
                    if isinstance(event, Phase) and event.name == "training":
                        long_lived.settle()
                    self._lock.touch()
            finally:
                if isinstance(events, Generator):
                    events.close()

    @contextlib.contextmanager
    def _trainer(self) -> Iterator[TrainerLike]:
        if self._place.count == 1:
            yield make_trainer(self._config, self._run.path, self._resume, self._poll)
            return
        with leading(
            self._run, self._place, self._others, resume=self._resume, on_stop=self._asked_elsewhere,
            give_up=self._give_up, explained=self._explained,
        ) as ranks:  # fmt: skip
            from core.training.trainer import Trainer

            yield Trainer(self._config, self._run.path, resume=self._resume, poll=self._poll, ranks=ranks)

    def _asked_elsewhere(self, reason: str) -> None:
        """Another process of this run was told to end; however many are, that is one wish."""
        if not self._stop_passed_on:
            self._stop_passed_on = True
            self._requests.put(new_command("stop", reason=reason))

    def _give_up(self, error: UserError) -> None:
        """Where the trainer waits for ever for a process that has gone."""
        self._end_with(error.message)
        os._exit(EXIT_FAILED)

    def _explained(self, error: Exception) -> Message:
        return explained(error, self._run, self._config)

    def _poll(self) -> Sequence[Command]:
        self._lock.touch()
        return [*self._requests.take(), *self._commands.poll()]

    def _tell(self, event: Event) -> None:
        if isinstance(event, Step):
            self._step = event.step
        elif isinstance(event, Phase):
            quiet_libraries()  # a phase may have imported one
        elif isinstance(event, Paused | Continued):
            self.paused = isinstance(event, Paused)
        elif isinstance(event, Done):
            event = self._with_all_lives(event)
        self._ending = _ending_of(event) or self._ending
        self._journal.write(event)
        self._show(event)
        for said in self._tracking.troubles():
            self._tell(_warned(said))
        trouble = self._journal.trouble
        if trouble != self._told_trouble:
            self._told_trouble = trouble
            if trouble:
                self._tell(_warned(message("journal.trouble", "The journal cannot be written now: {trouble} Training "
                                           "goes on, and writing is tried again.", trouble=trouble)))  # fmt: skip

    def _with_all_lives(self, done: Done) -> Done:
        """With the time that every process trained, as the journal has it."""
        try:
            if self._journal.flush(END_NOW_SECONDS):
                return replace(done, trained_seconds=trained_seconds([*read_journal(self._run.journal_path), done]))
        except UserError:
            pass  # the journal's own trouble is told where it is written
        return done

    def _show(self, event: Event) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            if not self._view_failed:
                self._view_failed = True
                self._log.exception("what shows the events failed; training goes on")

    def _fail(self, error: Exception) -> None:
        self._log.error("training failed", exc_info=error)
        self._tell(_failed(self._explained(error), self._step))


def make_trainer(config: RunConfig, folder: Path, resume: bool, poll: Poll) -> TrainerLike:
    from core.training.trainer import Trainer  # torch: nothing before this line needs it

    return Trainer(config, folder, resume=resume, poll=poll)


def exit_code_of(event: Event | None) -> int:
    """Of a process whose part in the run ended with this event."""
    ending = _ending_of(event) if event is not None else None
    return ending.exit_code if ending is not None else EXIT_FAILED


def _ending_of(event: Event) -> Ending | None:
    if isinstance(event, Done):
        return Ending("done", EXIT_DONE, event)
    if isinstance(event, Stopped):
        return Ending("stopped", EXIT_STOPPED, event)
    if isinstance(event, Failed):
        return Ending("failed", EXIT_FAILED, event)
    return None


def _failed(said: Message, step: int | None) -> Failed:
    return Failed(code=said.code, message=said.text, advice=said.advice, step=step)


def _warned(said: Message) -> Warned:
    return Warned(code=said.code, message=str(said))


def explained(error: Exception, run: Run, config: RunConfig) -> Message:
    """Whatever ended a run, in words for people."""
    if isinstance(error, UserError):
        return error.message
    if is_out_of_memory(error):
        return _out_of_memory(config)
    if isinstance(error, OSError) and error.errno is not None:
        return explain(error, error.filename or run.path).message
    return message(
        "internal",
        "Training ended because of a mistake in the program: {reason}.",
        mend="Please report it with the end of {log}.",
        reason=f"{type(error).__name__}: {' '.join(str(error).split())}"[:300].rstrip(". :"),
        log=run.log_path,
    )


def _out_of_memory(config: RunConfig) -> Message:
    return message(
        "memory.out",
        "There was not enough memory to train.",
        mend="What may help, the most promising first: {ways}.",
        ways=ways("memory.out", config),
    )


def _interrupted(by: str) -> Message:
    return message("run.interrupted", "Training was ended at once by {by}.",
                   mend="The last saved state is whole: resume from it.", by=by)  # fmt: skip


class TrainingHandle:
    """A run that trains in a thread of this process. Not a daemon: the process stays until it has ended."""

    def __init__(self, run: Run, *, resume: bool, on_event: OnEvent | None = None, place: Place = ALONE) -> None:
        """Takes the lock and starts; raises `UserError` where that is refused."""
        self.run = run
        self.ending: Ending | None = None
        self._requests = Requests()
        self._stack = contextlib.ExitStack()
        self._pump = self._stack.enter_context(opened(run, resume=resume, place=place))
        self._thread = threading.Thread(target=self._work, args=(on_event,), name=f"train {run.name}", daemon=False)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def paused(self) -> bool:
        """Whether it waits between two steps until it is told to go on."""
        return self._pump.paused

    @property
    def step(self) -> int | None:
        """The last step that this life trained; `None` where it has trained none yet."""
        return self._pump._step

    def request(self, command: str, **fields: Any) -> str:
        """Ask for pause, continue, save, sample or stop; returns the answer's id. Safe inside a signal handler."""
        wish = new_command(command, **fields)
        self._requests.put(wish)
        return wish.id

    def join(self, timeout: float | None = None) -> Ending | None:
        """Wait for the end, for at most `timeout` seconds; signal handlers run meanwhile. `None` if it still runs."""
        self._thread.join(timeout)
        return None if self._thread.is_alive() else self.ending

    def end_now(self) -> None:
        """Note in the journal that a second signal ended it (at most 2 s). The caller exits with `os._exit(1)`."""
        self._pump.end_now()

    def _work(self, on_event: OnEvent | None) -> None:
        with self._stack:
            self.ending = self._pump.run(on_event, self._requests)
