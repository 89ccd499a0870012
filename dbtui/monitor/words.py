"""What the monitor says, as plain functions of figures: the state, the progress, each event in one line."""

from __future__ import annotations

import math
import time

from core import events
from core.texts import counted, duration_in_words, size_in_words
from dbtui.safe import safe
from dbtui.states import PHASES

QUIET, FAINT = "$foreground 60%", "$foreground 25%"
"""Styles of what is read second, and of what only fills a line."""

ENDED = frozenset({"stopped", "done", "failed", "lost"})
"""States in which no process trains the run."""


def number(value: float | None) -> str:
    """A loss in four digits, `-` where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.2e}" if value and abs(value) < 1e-3 else f"{value:.4f}"


def rate_in_words(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2g}"


def clock(moment: float) -> str:
    """Local time of day, `14:03:59`."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def seen_in(sample: events.Sample) -> str:
    """What the demo's recogniser makes of a preview, to stand behind its line; nothing where nobody judged it."""
    if not sample.noun:
        return ""
    likeness = "" if sample.likeness is None else f", {sample.likeness:.0%} like the pictures"
    return f" · shows {safe(sample.noun)}{likeness}"


def line_of(event: events.Event) -> str | None:
    """The event as one line of the log; `None` for those that are curves (steps, validations)."""
    match event:
        case events.RunStarted(resumed_from=None):
            return f"Started on {safe(event.device)}: {counted(event.total_steps, 'step')}"
        case events.RunStarted():
            exact = "" if event.exact else " (not exact: the settings or the machine differ)"
            return f"Went on from step {event.resumed_from:,} on {safe(event.device)}{exact}"
        case events.Phase():
            what = PHASES.get(event.name, safe(event.name))
            return f"{what}: {event.total:,}" if event.total > 1 and event.name != "training" else what
        case events.Measured():
            return measured_in_words(event)
        case events.Sample():
            return f"Preview at step {event.step:,}, seed {event.seed}: {safe(event.prompt)}{seen_in(event)}"
        case events.Checkpoint():
            took = duration_in_words(event.seconds)
            return f"Saved at step {event.step:,}: {safe(event.path)}, {size_in_words(event.bytes)} in {took}"
        case events.Export():
            return f"Exported {safe(event.path)}: {safe(event.format)}, {size_in_words(event.bytes)}"
        case events.Warned():
            return f"Note: {safe(event.message)}"
        case events.Paused():
            return f"Paused at step {event.step:,}"
        case events.Continued():
            return f"Went on at step {event.step:,}"
        case events.Stopped():
            return f"Stopped at step {event.step:,}, {'saved' if event.saved else 'nothing saved'}{why(event.reason)}"
        case events.Done():
            return f"Done at step {event.step:,} after {duration_in_words(event.seconds)}"
        case events.Failed():
            return f"Failed ({safe(event.code)}): {safe(event.message)} {safe(event.advice)}".rstrip()
    return None


def measured_in_words(event: events.Measured) -> str:
    """What the dry step found, in one line."""
    what = f"{counted(event.pictures, 'picture')} of {event.width} × {event.height} px at a time"
    if event.peak_bytes is None:
        parts = [f"{what}: this system does not tell how much memory that takes"]
    else:
        optimizer = f", with the optimizer {size_in_words(event.peak_bytes + event.optimizer_bytes)}"
        parts = [f"{what} take {size_in_words(event.peak_bytes)}{optimizer if event.optimizer_bytes else ''}"]
    if event.compiled:
        parts.append(f"compiled in {duration_in_words(event.seconds)}")
    if event.repeats is not None:
        parts.append("repeats bit for bit" if event.repeats else "does not repeat bit for bit")
    return "; ".join(parts)


def why(reason: str) -> str:
    """The end of a sentence on why a run stopped."""
    known = {"user": "", "terminated": " (the process was asked to end)", "background": " (goes on in the background)"}
    return known.get(reason, f" ({safe(reason)})")


def bar(done: float, width: int) -> tuple[str, str]:
    """A bar of `width` columns as its filled and its empty part; `done` from 0 to 1."""
    filled = round(min(1.0, max(0.0, done)) * width)
    return "━" * filled, "─" * (width - filled)
