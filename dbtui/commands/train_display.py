"""What `dbtui train` shows: a progress display on a terminal, plain lines elsewhere. Both are fed with events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import IO, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from core.events import (
    Checkpoint,
    Continued,
    Done,
    Event,
    Export,
    Measured,
    Paused,
    Phase,
    RunStarted,
    Sample,
    Step,
    Stopped,
    Validation,
    Warned,
)
from core.texts import counted, duration_in_words, say, size_in_words
from dbtui.monitor.words import measured_in_words, seen_in
from dbtui.printing import console, print_paragraph
from dbtui.safe import safe
from dbtui.states import PHASES

PLAIN_SECONDS = 5.0
"""Between two plain lines of steps or of progress: a log is read by people."""
SPEED_STEPS = 30
"""The time left follows the last so many steps."""


class Display(Protocol):
    """Shows events and remarks as they come; `close` leaves the terminal as it was."""

    def show(self, events: Iterable[Event]) -> None: ...
    def remark(self, text: str) -> None: ...
    def close(self) -> None: ...


class Clock:
    """The time left, from the steps of this life of the run."""

    def __init__(self) -> None:
        self.total = 0
        self._recent: deque[tuple[float, int]] = deque(maxlen=SPEED_STEPS)

    def note(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.total = event.total_steps
                self._recent.clear()
            case Step():
                self._recent.append((event.time, event.step))
            case Paused() | Continued() | Phase():
                self._recent.clear()

    def seconds_left(self, step: int) -> float | None:
        """`None` until two steps were seen."""
        if len(self._recent) < 2:
            return None
        (first, first_step), (last, last_step) = self._recent[0], self._recent[-1]
        return (last - first) / max(1, last_step - first_step) * max(0, self.total - step)


def step_line(event: Step, clock: Clock) -> str:
    """Everything of a step that is watched, in one line; what is watched most comes first."""
    parts = [say("line.loss", "loss {loss}", loss=_figure(event.loss))]
    left = clock.seconds_left(event.step)
    if left is not None:
        parts.append(say("line.left", "{time} left", time=duration_in_words(left)))
    parts.append(say("line.speed", "{speed:.2f} images/s", speed=event.images_per_second))
    if event.main_rate is not None:
        parts.append(say("line.rate", "rate {rate:.2g}", rate=event.main_rate))
    if event.prior_loss is not None:
        parts.append(say("line.parts", "yours {instance}, class {prior}", instance=_figure(event.instance_loss),
                         prior=_figure(event.prior_loss)))  # fmt: skip
    if event.skipped:
        parts.insert(1, say("line.skipped", "skipped: not a number"))
    return " · ".join(parts)


def _why_not_exact(device: str) -> str:
    if device == "CPU":
        return say("line.not-exact", " (not bit for bit as without the break: its length, another option or the "
                   "program has changed since)")  # fmt: skip
    return say(
        "line.not-exact.gpu", " (not bit for bit as without the break: a GPU adds up in another order each time)"
    )


def event_line(event: Event) -> str | None:
    """What is worth a line of its own; `None` for steps, progress and failures (the program's last word, on stderr)."""
    match event:
        case RunStarted(resumed_from=None):
            return say("line.started", "{steps}, {per_epoch} an epoch, on {device}", device=event.device,
                       steps=counted(event.total_steps, "step"),
                       per_epoch=counted(event.steps_per_epoch, "step"))  # fmt: skip
        case RunStarted():
            said = say("line.went-on", "Goes on from step {step} of {total}, on {device}", step=event.resumed_from,
                       total=event.total_steps, device=event.device)  # fmt: skip
            return said if event.exact else said + _why_not_exact(event.device)
        case Validation(prior=None):
            return say("line.validation", "Step {step}: validation loss {loss}", step=event.step,
                       loss=_figure(event.instance))  # fmt: skip
        case Validation():
            return say("line.validations", "Step {step}: validation loss {loss}, class {prior}", step=event.step,
                       loss=_figure(event.instance), prior=_figure(event.prior))  # fmt: skip
        case Measured():
            return measured_in_words(event)
        case Sample():
            return say("line.preview", "Step {step}: preview {path}", step=event.step, path=event.path) + seen_in(event)
        case Checkpoint():
            return say("line.saved", "Step {step}: saved {path}, {size} in {seconds:.1f} s", step=event.step,
                       path=event.path, size=size_in_words(event.bytes), seconds=event.seconds)  # fmt: skip
        case Export():
            return say("line.exported", "Exported {path}, {size}", path=event.path, size=size_in_words(event.bytes))
        case Warned():
            return say("line.warning", "Warning: {message}", message=event.message)
        case Paused():
            return say("line.paused", "Paused at step {step}", step=event.step)
        case Continued():
            return say("line.continued", "Goes on from step {step}", step=event.step)
        case Stopped(saved=True):
            return say("line.stopped", "Stopped at step {step}, saved", step=event.step)
        case Stopped():
            return say("line.discarded", "Stopped at step {step}, not saved", step=event.step)
        case Done():
            return say("line.done", "Done after {steps} and {time} of training", steps=counted(event.step, "step"),
                       time=duration_in_words(event.took))  # fmt: skip
        case _:
            return None


class PlainDisplay:
    """Lines for logs and pipes: what happens, and the state every few seconds."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._clock = Clock()
        self._phase = ""
        self._said = 0.0

    def show(self, events: Iterable[Event]) -> None:
        for event in events:
            self._clock.note(event)
            line = self._line(event)
            if line is not None:
                self.remark(line)

    def remark(self, text: str) -> None:
        print(safe(text), file=self._stream, flush=True)

    def close(self) -> None:
        self._stream.flush()

    def _line(self, event: Event) -> str | None:
        if isinstance(event, Phase):
            if event.name != self._phase:
                self._phase = event.name
                self._said = time.monotonic()
                return None if event.name == "training" else f"{PHASES.get(event.name, event.name)} …"
            if not (event.total and self._is_time()):
                return None
            return "  " + say("line.progress", "{done} of {total}", done=event.done, total=event.total)
        if isinstance(event, Step):
            first_or_last = event.step in (1, self._clock.total)
            if not (self._is_time() or first_or_last):
                return None
            return say("line.step", "Step {step}/{total} (epoch {epoch}): {figures}", step=event.step,
                       total=self._clock.total, epoch=event.epoch,
                       figures=step_line(event, self._clock))  # fmt: skip
        return event_line(event)

    def _is_time(self) -> bool:
        now = time.monotonic()
        due = now - self._said >= PLAIN_SECONDS
        if due:
            self._said = now
        return due


class _Figures(ProgressColumn):
    """The step's figures, and nothing of them taken for markup."""

    max_refresh = None

    def render(self, task: Task) -> Text:
        return Text(safe(task.fields.get("figures", "")), overflow="ellipsis", no_wrap=True)


class ProgressDisplay:
    """One bar with the phase or the step, its figures below; what happens scrolls by above."""

    def __init__(self, stream: IO[str]) -> None:
        self._clock = Clock()
        self._console = console(stream)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            _Figures(),
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._task = self._bar.add_task(say("line.starting", "Starting"), total=None, figures="")
        self._bar.start()

    def show(self, events: Iterable[Event]) -> None:
        for event in events:
            self._clock.note(event)
            line = event_line(event)
            if line is not None:
                self.remark(line)
            if isinstance(event, Phase):
                total = event.total or None
                self._bar.update(
                    self._task, description=PHASES.get(event.name, safe(event.name)), completed=event.done, total=total,
                    figures="",
                )  # fmt: skip
            elif isinstance(event, Step):
                self._bar.update(
                    self._task, description=PHASES["training"], completed=event.step, total=self._clock.total or None,
                    figures=step_line(event, self._clock),
                )  # fmt: skip
        self._bar.refresh()

    def remark(self, text: str) -> None:
        print_paragraph(self._console, safe(text))

    def close(self) -> None:
        self._bar.stop()


def display_on(stream: IO[str]) -> Display:
    """The display that suits `stream`."""
    return ProgressDisplay(stream) if stream.isatty() else PlainDisplay(stream)


def _figure(loss: float | None) -> str:
    return "–" if loss is None else f"{loss:.4f}"
