"""Works the queue off: one run after the other, each in a process of its own. A run that fails stops no other."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from core.config.findings import Level
from core.events import Failed, Stopped
from core.planning.checks import check
from core.planning.survey import survey
from core.reasons import of_system
from core.runs import launch
from core.runs.folder import Run, list_runs
from core.runs.history import ending_of
from core.runs.journal import JournalWriter
from core.runs.lock import RunLock, owner
from core.runs.output import open_log
from core.runs.pump import EXIT_DONE, EXIT_FAILED, EXIT_STOPPED
from core.runs.queue import (
    Waiting,
    asked,
    begin,
    drop,
    lock_path,
    nothing_waits,
    put_back,
    read_queue,
    take_back,
    worked_already,
)
from core.texts import Message, UserError, message

LOOK_SECONDS = 0.5
EXIT_REFUSED = 2
"""Of a process that found something wrong with the run before it began: the journal knows nothing of it."""
_NO_RUN = ("run.unknown", "run.bad-name")
"""Why an entry can never get its turn; whatever else goes wrong leaves it in the queue."""

Tell = Callable[[Message], None]


class Worker:
    """`tell` hears what goes on. `stop` may be called from a signal handler."""

    def __init__(self, home: Path, tell: Tell) -> None:
        self._home, self._tell = home, tell
        self._child: subprocess.Popen[bytes] | None = None
        self._ends = False
        self._waited_for = ""

    def stop(self) -> None:
        """Save the run that trains and end; the second time end it at once. The run waits again."""
        again, self._ends = self._ends, True
        self._signal_child(signal.SIGTERM)
        if again:
            self._signal_child(signal.SIGINT)  # one SIGTERM soon after another may be the same, sent to both of us

    def work(self) -> int:
        """Until nothing waits any more: 0; 3 if it was ended before, 1 if the queue itself failed: who waits still
        waits then. Raises `UserError` where it cannot begin.
        """
        queue = read_queue(self._home)
        if queue.worker is not None:
            raise worked_already(queue.worker, self._home)
        if not queue.entries:
            raise nothing_waits(self._home)
        lock = RunLock(lock_path(self._home))
        try:
            lock.acquire()
        except UserError as error:
            holder = owner(lock_path(self._home))
            if error.code != "run.locked" or holder is None:
                raise
            raise worked_already(holder, self._home) from error
        try:
            take_back(self._home)
            code = self._work_off(lock)
            take_back(self._home)
            return code
        except UserError as error:
            self._tell(message("queue.cannot-go-on", "The queue cannot go on: {reason} What waits stays in it.",
                               mend="{advice}", reason=error.message.text, advice=error.message.advice))  # fmt: skip
            return EXIT_FAILED
        finally:
            lock.release()

    def _work_off(self, lock: RunLock) -> int:
        while not self._is_to_end():
            lock.touch()
            entries = read_queue(self._home).entries
            if not entries:
                self._tell(message("queue.all-done", "Nothing waits any more."))
                return EXIT_DONE
            if self._somebody_trains():
                time.sleep(LOOK_SECONDS)
                continue
            self._turn_of(entries[0], lock)
        self._tell(message("queue.ended", "The queue was asked to end. {count} still in it.",
                           count=len(read_queue(self._home).entries)))  # fmt: skip
        return EXIT_STOPPED

    def _is_to_end(self) -> bool:
        return self._ends or bool(asked(self._home))

    def _somebody_trains(self) -> bool:
        """Whether a run of this home trains on this computer: two would only take each other's memory."""
        for run in list_runs(self._home):
            holder = owner(run.lock_path)
            if holder is not None and holder.alive and holder.host in ("", socket.gethostname()):
                if self._waited_for != run.name:
                    self._waited_for = run.name
                    self._tell(message("queue.waits-for", "Waiting for {name}, which trains now.", name=run.name))
                return True
        self._waited_for = ""
        return False

    def _turn_of(self, entry: Waiting, lock: RunLock) -> None:
        try:
            run = Run.open(self._home, entry.name)
        except UserError as error:
            if error.code not in _NO_RUN:
                raise
            drop(self._home, entry)
            self._tell(_passed_over(entry.name, error.message))
            return
        if entry.begun and _has_ended_since(run, entry.begun):
            drop(self._home, entry)  # the worker before this one did not live to see it
            return
        begun = begin(self._home, entry)
        if begun is not None:
            self._train(run, begun, lock)

    def _train(self, run: Run, entry: Waiting, lock: RunLock) -> None:
        log = open_log(run.log_path)
        try:
            said_before = os.fstat(log).st_size
            processes = len(entry.cards) or entry.processes
            more = ["--processes", str(processes)] if processes > 1 else []
            child = self._child = subprocess.Popen(
                [*launch.seeing(entry.cards), *launch.command_line(run, run.started), *more],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise UserError("queue.no-process", "no process can be started for {name}: {reason}.",
                            mend="`dbtui queue start` tries again.", name=run.name,
                            reason=of_system(error)) from error  # fmt: skip
        finally:
            os.close(log)
        self._tell(message("queue.begins", "{name} trains now, in process {pid}.", name=run.name, pid=child.pid))
        if self._ends:  # asked between the last look and the start
            self._signal_child(signal.SIGTERM)
        interrupted, trouble = False, None
        while child.poll() is None:
            if trouble is None:
                try:
                    lock.touch()
                except UserError as error:
                    trouble = error  # told when the run has ended: it needs nothing of the queue
            if not interrupted and asked(self._home) == "now":
                interrupted = True
                self._signal_child(signal.SIGTERM)
            time.sleep(LOOK_SECONDS)
        self._child = None
        if trouble is not None:
            self._tell(_ending(run, child.returncode, said_before))
            raise trouble
        if (interrupted or self._ends) and child.returncode != EXIT_DONE:
            put_back(self._home, entry)
            self._tell(message("queue.interrupted", "{name} was interrupted and waits again.", name=run.name))
            return
        drop(self._home, entry)
        refusal = _refusal(run) if child.returncode == EXIT_REFUSED and not _has_ended_since(run, entry.begun) else None
        self._tell(refusal or _ending(run, child.returncode, said_before))

    def _signal_child(self, number: signal.Signals) -> None:
        child = self._child
        if child is not None and child.poll() is None:
            child.send_signal(number)


def _has_ended_since(run: Run, moment: float) -> bool:
    """Not where it was told to save and end together with the worker, which meant to put it back."""
    ending = ending_of(run)
    if ending is None or ending.time < moment:
        return False
    return not (isinstance(ending, Stopped) and ending.reason == "terminated")


def _refusal(run: Run) -> Message | None:
    """What is wrong with a run that was refused, kept in its journal for whoever asks why it was not trained."""
    try:
        config = run.config()
        found = check(config, survey(config, run.home, decode=True, resuming=True))
        wrong = next((finding.message for finding in found if finding.level is Level.ERROR), None)
        if wrong is None:
            return None
        with RunLock(run.lock_path, trains=False):
            journal = JournalWriter(run.journal_path)
            journal.write(Failed(code=wrong.code, message=wrong.text, advice=wrong.advice), last=True)
            journal.close()
    except (UserError, OSError):
        return None  # its last words are told
    return _passed_over(run.name, wrong)


def _passed_over(name: str, why: Message) -> Message:
    return message("queue.passed-over", "{name} is passed over: {reason}", mend="{advice}", name=name,
                   reason=why.text, advice=why.advice)  # fmt: skip


def _ending(run: Run, code: int, said_before: int) -> Message:
    if code == EXIT_DONE:
        return message("queue.done", "{name} is done.", name=run.name)
    if code == EXIT_STOPPED:
        return message("queue.stopped", "{name} was stopped; its state is kept.", name=run.name)
    words = " ".join(launch.last_words(run.log_path, said_before, 3).split())
    return message("queue.failed", "{name} ended with code {code}. Its last words: {words}", name=run.name, code=code,
                   words=words)  # fmt: skip
