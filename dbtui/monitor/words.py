"""What the monitor says, as plain functions of figures: the state, the progress, each event in one line."""

from __future__ import annotations

import math
import time

from rich.cells import cell_len

from core import events
from core.texts import Texts, apart, counted, duration_in_words, number, say, size_in_words
from dbtui.safe import safe
from dbtui.states import PHASES

QUIET, FAINT = "$foreground 60%", "$foreground 25%"
"""Styles of what is read second, and of what only fills a line."""

ENDED = frozenset({"stopped", "done", "failed", "lost"})
"""States in which no process trains the run."""


def loss_in_words(value: float | None) -> str:
    """A loss in four digits, `-` where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return number(value, ".2e") if value and abs(value) < 1e-3 else f"{value:.4f}"


def rate_in_words(rate: float | None) -> str:
    """`2.5e-6`: in one notation while it rises and falls, so that two of them can be compared."""
    if rate is None:
        return "-"
    return number(rate, ".1e") if rate else "0"


def clock(moment: float) -> str:
    """Local time of day, `14:03:59`."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def moment(when: float) -> str:
    """Local time of day, `14:03`; before it the day, `11-22 14:03`, where that was not today."""
    then, today = time.localtime(when), time.localtime()
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%m-%d %H:%M", then)


def seen_in(sample: events.Sample) -> str:
    """What the demo's recogniser makes of a preview, to stand behind its line; nothing where nobody judged it, nor of a
    subject of one's own: all it could name is something else.
    """
    if not sample.noun or sample.likeness is None:
        return ""
    return say("log.shows-like", " · recognised as {noun}, and as the new one: {likeness:.0%}",
               noun=safe(sample.noun), likeness=sample.likeness)  # fmt: skip


def recognised(likeness: float, width: int | None = None) -> str:
    """How sure the demo's recogniser is that a preview shows what is taught; in few words where `width` is small: in
    the same for each share, since two of them stand side by side.
    """
    told, longest = (say("samples.recognised", "recognised as the new one: {share:.0%}", share=share)
                     for share in (likeness, 1.0))  # fmt: skip
    if width is None or cell_len(longest) <= width:
        return told
    return say("samples.likeness", "{share:.0%} the new one", share=likeness)


def with_recogniser(help_text: str, sample: events.Sample | None) -> str:
    """The help of a screen, and what the demo's recogniser is where `sample` was judged by it."""
    if sample is None or sample.likeness is None:
        return help_text
    explained = say("samples.recogniser", "Recognised as the new one: a second small network that comes with the demo "
                    "looks at each preview and says how sure it is to see the new dog. It jumps while the "
                    "model learns; in the end it should be high under the prompt of the new dog, and low under that of "
                    "the class.")  # fmt: skip
    return f"{help_text}\n{explained}"


def line_of(event: events.Event) -> str | None:
    """The event as one line of the log; `None` for those that are curves (steps, validations)."""
    match event:
        case events.RunStarted(resumed_from=None):
            return say("log.started", "Started on {device}: {steps}", device=safe(event.device),
                       steps=counted(event.total_steps, "step"))  # fmt: skip
        case events.RunStarted():
            said = say("log.went-on", "Went on from step {step:,} on {device}", step=event.resumed_from,
                       device=safe(event.device))  # fmt: skip
            return said if event.exact else said + say(
                "log.not-exact", " (not exact: the settings or the machine differ)")  # fmt: skip
        case events.Phase():
            what = PHASES.get(event.name, safe(event.name))
            if event.name == "resting":
                return say("log.rests", "{phase}: {time}", phase=what, time=duration_in_words(event.total))
            if event.total > 1 and event.name != "training":
                return say("log.phase", "{phase}: {count:,}", phase=what, count=event.total)
            return what
        case events.Measured():
            return measured_in_words(event)
        case events.Sample():
            return say("log.preview", "Preview at step {step:,}, seed {seed}: {prompt}", step=event.step,
                       seed=event.seed, prompt=safe(event.prompt)) + seen_in(event)  # fmt: skip
        case events.Checkpoint():
            return say("log.saved", "Saved at step {step:,}: {path}, {size} in {time}", step=event.step,
                       path=safe(event.path), size=size_in_words(event.bytes),
                       time=duration_in_words(event.seconds))  # fmt: skip
        case events.Export():
            return say("log.exported", "Exported {path}: {format}, {size}", path=safe(event.path),
                       format=safe(event.format), size=size_in_words(event.bytes))  # fmt: skip
        case events.Warned():
            return say("log.note", "Note: {message}", message=safe(event.message))
        case events.Paused():
            return say("log.paused", "Paused at step {step:,}", step=event.step)
        case events.Continued():
            return say("log.continued", "Went on at step {step:,}", step=event.step)
        case events.Stopped(saved=True):
            return say("log.stopped", "Stopped at step {step:,}, saved", step=event.step) + why(event.reason)
        case events.Stopped():
            return say("log.discarded", "Stopped at step {step:,}, nothing saved", step=event.step) + why(event.reason)
        case events.Done():
            return say("log.done", "Done at step {step:,} after {time} of training", step=event.step,
                       time=duration_in_words(event.took))  # fmt: skip
        case events.Failed():
            return say("log.failed", "Failed ({code}): {message} {advice}", code=safe(event.code),
                       message=safe(event.message), advice=safe(event.advice)).rstrip()  # fmt: skip
    return None


def measured_in_words(event: events.Measured) -> str:
    """What the dry step found, in one line."""
    values = {"pictures": counted(event.pictures, "picture"), "width": event.width, "height": event.height}
    if event.peak_bytes is None:
        said = say("measured.unknown", "{pictures} of {width} × {height} px at a time: this system does not tell how "
                   "much memory that takes", **values)  # fmt: skip
    else:
        said = say("measured.takes", "{pictures} of {width} × {height} px at a time take {size}",
                   size=size_in_words(event.peak_bytes), **values)  # fmt: skip
        if event.optimizer_bytes:
            said += say("measured.with-optimizer", ", with the optimizer {size}",
                        size=size_in_words(event.peak_bytes + event.optimizer_bytes))  # fmt: skip
    parts = [said]
    if event.compiled:
        parts.append(say("measured.compiled", "compiled in {time}", time=duration_in_words(event.seconds)))
    if event.repeats:
        parts.append(say("measured.repeats", "repeats bit for bit"))
    elif event.repeats is not None:
        parts.append(say("measured.repeats-not", "does not repeat bit for bit"))
    return apart(parts)


WHY = Texts("why", {
    "terminated": " (the process was asked to end)", "background": " (goes on in the background)",
})  # fmt: skip


def why(reason: str) -> str:
    """The end of a sentence on why a run stopped."""
    return "" if reason == "user" else WHY.get(reason, say("why.other", " ({reason})", reason=safe(reason)))


def bar(done: float, width: int) -> tuple[str, str]:
    """A bar of `width` columns as its filled and its empty part; `done` from 0 to 1."""
    filled = round(min(1.0, max(0.0, done)) * width)
    return "━" * filled, "─" * (width - filled)
