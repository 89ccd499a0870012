"""How long a run was trained, over all the processes that did it one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from core.events import ENDINGS, Continued, Event, Paused, RunStarted
from core.runs.history import is_sound


def trained_seconds(events: Iterable[Event]) -> float:
    """From the start to the last word of each process, without what it was paused. Of one that was killed that is the
    last step it told.
    """
    seconds, last, is_paused = 0.0, None, False
    for event in filter(is_sound, events):
        if isinstance(event, RunStarted):
            last, is_paused = event.time, False
        if last is None:
            continue
        if not is_paused:
            seconds += max(0.0, event.time - last)
        last = None if isinstance(event, ENDINGS) else event.time
        is_paused = isinstance(event, Paused) or (is_paused and not isinstance(event, Continued))
    return seconds
