"""`dbtui train`: a run in this terminal, or handed to a process of its own, without the app."""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from core.config.findings import Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.runfile import made_from
from core.events import Event, Failed, Stopped
from core.export.using import exported_files
from core.place import ALONE, Place
from core.planning.checks import check
from core.planning.plan import make_plan
from core.planning.survey import survey
from core.runs.folder import Run, is_run, is_run_name, name_in_use, runs_directory
from core.runs.history import summary
from core.runs.launch import TrainingHandle, launch_background, launch_thread
from core.runs.logout import ended_at_logout
from core.runs.output import captured_output
from core.texts import UserError, say
from dbtui import __version__
from dbtui.announcing import signal_of
from dbtui.boundary import DONE, FAILED, REFUSED, complain
from dbtui.commandline import command_line
from dbtui.commands.check import has_error, print_findings
from dbtui.commands.configs import differences, read_assignments, read_config
from dbtui.commands.processes import is_same_signal, place_of, train_along
from dbtui.commands.train_display import Display, display_on
from dbtui.printing import print_lines
from dbtui.safe import safe, safe_message
from dbtui.terminal.output import STANDARD_OUTPUT, Terminal
from dbtui.terminal.signals import handled
from dbtui.using import lines_of

T = TypeVar("T")
_FILE_ENDING = re.compile(r"\.[A-Za-z]+")

POLL_SECONDS = 0.25


class FinishedError(UserError):
    """A run that has nothing left to train."""


def train_target(
    target: str, home: Path, *, resume: bool, assignments: Sequence[str], background: bool, processes: int | None = None
) -> int:
    """Train a file or a run, with so many processes. A `UserError`, or 2 with everything that was found, where it
    cannot start.
    """
    place = place_of(processes)
    if place.launched and background:
        raise UserError(
            "processes.background", "A launcher started these processes: they cannot go into the background.",
            mend="Leave --background out, or use --processes without the launcher.",
        )  # fmt: skip
    if place.rank > 0:
        return train_along(place)
    try:
        run = made_ready(target, home, resume=resume, assignments=assignments, place=place)
    except FinishedError as finished:
        complain(safe_message(finished.message))
        return DONE
    if run is None:
        return REFUSED
    if background:
        return _start_in_background(run, resume, place.count)
    return Watch(run, place=place).follow(resume)


def made_ready(
    target: str,
    home: Path,
    *,
    resume: bool,
    assignments: Sequence[str] = (),
    place: Place = ALONE,
    may_be_new: bool = False,
) -> Run | None:
    """The run that a file or a name stands for, made and changed as is asked; `None` where what was found on the way,
    which is printed, holds an error. `may_be_new`: a file stands for a new run where there is none to resume. Raises
    `UserError`, for a run that is finished a `FinishedError`.
    """  # fmt: skip
    run, changes = _target(target, home, read_assignments(assignments), resume, may_be_new)
    config = with_changes(run.config(), changes) if isinstance(run, Run) else run
    if isinstance(run, Run) and not place.launched:  # the other processes wait for this one
        _refuse_if_finished(run, config)
    found = check(config, survey(config, home, decode=True, resuming=isinstance(run, Run), place=place))
    findings = [finding for finding in found if finding.level is not Level.HINT]
    findings.sort(key=lambda finding: finding.level is Level.ERROR)  # last: a log's last words say why
    if findings:
        print_findings(findings, on_stderr=True)
    if has_error(findings):
        return None
    if not isinstance(run, Run):
        return Run.create(home, config, __version__, preset=made_from(Path(target)))
    if changes:
        run.extend(changes, __version__)
    return run


def _refuse_if_finished(run: Run, config: RunConfig) -> None:
    seen = summary(run)
    if seen.state != "done":
        return
    plan = make_plan(config, survey(config, run.home, decode=False, resuming=True))
    if plan is not None and plan.steps <= seen.step:
        raise FinishedError(
            "train.finished", "{name} is finished ({step}/{total}): there is nothing left to train.",
            mend="To train it longer add `--set intervals.epochs=N`: so far {epochs}.", name=run.name,
            step=seen.step, total=plan.steps, epochs=plan.epochs,
        )  # fmt: skip


def _target(
    target: str, home: Path, changes: Mapping[str, Any], resume: bool, may_be_new: bool
) -> tuple[Run | RunConfig, Mapping[str, Any]]:
    """The run that exists and what is to change in it; or, from a file, the configuration of a new one."""
    path = Path(target)
    if not (path.is_file() or _is_named_like_a_file(target, home)):
        run = _run_called(target, home)
        if run.started and not resume:
            raise name_in_use(run)
        return run, changes
    asked = with_changes(read_config(path), changes)
    if asked.model.name and resume and not (may_be_new and not Run(home, asked.model.name).path.exists()):
        run = Run.open(home, asked.model.name)
        return run, differences(asked, run.config())
    if asked.model.name and Run(home, asked.model.name).path.exists():
        raise name_in_use(Run(home, asked.model.name))
    return asked, {}


def _is_named_like_a_file(target: str, home: Path) -> bool:
    """Whether a target that is not there was meant as a file; a run may have a dot in its name."""
    if is_run_name(target) and is_run(runs_directory(home) / target):
        return False
    return os.sep in target or bool(_FILE_ENDING.fullmatch(Path(target).suffix))


def _run_called(name: str, home: Path) -> Run:
    """The run; where there is none and a `run.toml` here is named so, the error says how to train that one."""
    try:
        return Run.open(home, name)
    except UserError as error:
        here = Path("run.toml")
        if error.code != "run.unknown" or not here.is_file() or read_config(here).model.name != name:
            raise
        raise UserError("run.not-made", "There is no run {name} yet, but the run.toml here is named so.",
                        mend="`dbtui train run.toml` makes and trains it.", name=name) from error  # fmt: skip


def _start_in_background(run: Run, resume: bool, processes: int) -> int:
    process = launch_background(run, resume, processes)
    print_lines(
        say("train.background", "{name} trains in process {process}. `{attach}` shows it, `{stop}` ends it.",
            name=run.name, process=process, attach=command_line(f"attach {run.name}", run.home),
            stop=command_line(f"stop {run.name}", run.home))
    )  # fmt: skip
    warn_of_logout()
    return DONE


def warn_of_logout() -> None:
    """Say it where logging out would end what was just put into the background."""
    danger = ended_at_logout()
    if danger is not None:
        complain(safe_message(danger))


class Watch:
    """Shows a run that trains in a thread of this process, and obeys signals meanwhile.

    SIGTERM or Ctrl+C: save and end; the second one, but for a SIGTERM right after the first: end now. SIGHUP: the
    terminal has gone, training goes on. `place` is that of the first of all processes that train it.
    """

    def __init__(self, run: Run, display: Callable[[Terminal], Display] = display_on, *, place: Place = ALONE) -> None:
        self._run = run
        self._place = place
        self._display = display
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._remarks: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._handle: TrainingHandle | None = None
        self._reason = ""
        self._asked = 0.0

    def follow(self, resume: bool) -> int:
        """Train to the end; returns the exit code. Raises `UserError` where that is refused."""
        descriptor = os.dup(STANDARD_OUTPUT)
        terminal = Terminal(descriptor)
        try:
            with (
                captured_output(self._run.log_path),
                handled(
                    hang_up=lambda: setattr(terminal, "lost", True),
                    terminate=lambda: self._stop("terminated"),
                    interrupt=lambda: self._stop("user"),
                ),
            ):
                self._handle = launch_thread(self._run, resume, on_event=self._events.put, place=self._place)
                if self._reason:
                    self._handle.request("stop", reason=self._reason)
                with closing(self._display(terminal)) as display:
                    while self._handle.running:
                        self._handle.join(POLL_SECONDS)
                        for remark in _taken(self._remarks):
                            display.remark(remark)
                        display.show(_taken(self._events))
                    display.show(_taken(self._events))
                self._signal(terminal)
        finally:
            os.close(descriptor)
        return self._last_word()

    def _signal(self, terminal: Terminal) -> None:
        """Ring and tell the desktop that it has ended, where a person's terminal is still there."""
        ending = self._handle.ending if self._handle is not None else None
        if ending is not None and terminal.isatty():
            terminal.write(signal_of(self._run.name, ending.event, os.environ))

    def _stop(self, reason: str) -> None:
        """Runs inside a signal handler."""
        if self._reason:
            if (self._place.launched or reason == "terminated") and is_same_signal(self._asked):
                return  # systemd, or a queue that was told to end, sends SIGTERM to all of its processes
            if self._handle is not None:
                self._handle.end_now()
            os._exit(FAILED)
        self._reason, self._asked = reason, time.monotonic()
        if self._handle is not None:
            self._handle.request("stop", reason=reason)
        self._remarks.put(say("train.stopping", "It saves and stops. The same once more ends it at once."))

    def _last_word(self) -> int:
        assert self._handle is not None
        ending = self._handle.ending
        if ending is None:
            complain(safe(say("train.silent", "Training ended without saying how. Its log may tell: {log}",
                              log=self._run.log_path)))  # fmt: skip
            return FAILED
        if isinstance(ending.event, Failed):
            complain(safe(say("message.gap", " ").join(filter(None, (ending.event.message, ending.event.advice)))))
        elif isinstance(ending.event, Stopped):
            complain(say("train.goes-on", "`{command}` goes on with it.",
                         command=command_line(f"train {self._run.name} --resume", self._run.home)))  # fmt: skip
        elif written := exported_files(self._run.exports):
            complain(safe(say("train.exported", "Your model is in {folder}", folder=self._run.exports)))
            for line in lines_of(self._run, written[0], self._run.config(), os.environ):
                complain(safe(line))
        return ending.exit_code


def _taken(waiting: queue.SimpleQueue[T]) -> list[T]:
    """Everything that waits now."""
    return [waiting.get() for _ in range(waiting.qsize())]
