"""How long a run was trained, over all the processes that did it one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from core.events import ENDINGS, Continued, Event, Paused, Phase, RunStarted, Step, Warned
from core.runs.history import is_sound


def trained_seconds(events: Iterable[Event]) -> float:
    """From the start to the last word of each process, without what it was paused. Of one that was killed that is the
    last step it told; what the next one says before its start does not count.
    """
    seconds, last, is_paused, has_steps = 0.0, None, False, False
    for event in filter(is_sound, events):
        if isinstance(event, RunStarted):
            last, is_paused, has_steps = event.time, False, False
        if last is None or _may_come_before_the_start(event):
            continue
        if isinstance(event, ENDINGS) and has_steps and not event.step:
            last = None  # another process ended before it started
            continue
        if not is_paused:
            seconds += max(0.0, event.time - last)
        last = None if isinstance(event, ENDINGS) else event.time
        is_paused = isinstance(event, Paused) or (is_paused and not isinstance(event, Continued))
        has_steps = has_steps or isinstance(event, Step)
    return seconds


def _may_come_before_the_start(event: Event) -> bool:
    return isinstance(event, Warned) or (isinstance(event, Phase) and event.name == "downloading")
