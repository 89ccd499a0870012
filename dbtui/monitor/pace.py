"""How often the monitor is drawn: seldom enough that it costs the trainer at most two percent."""

from __future__ import annotations

SHORTEST_SECONDS = 1.0
LONGEST_FREE = 5.0
TIMES = 50.0
"""The interval is at least so many times what the last redraw took: a fiftieth of the time goes to it."""


def interval(took: float) -> float:
    """Seconds from one redraw to the next, where the last one took so many."""
    return max(SHORTEST_SECONDS, TIMES * took)


class Pace:
    """When the next redraw is due, and what all of them together took. Times in seconds of a monotonic clock; what a
    redraw took is the processor time of the app's thread, for that is what the trainer cannot have.
    """

    def __init__(self) -> None:
        self.redraws = 0
        self.spent = 0.0
        self.last = 0.0
        self._begun = self._next = 0.0

    def is_due(self, now: float) -> bool:
        return now >= self._next

    def begin(self, now: float) -> None:
        """A redraw begins; until it is told what it took, the next is due after the usual interval."""
        self._begun, self._next = now, now + interval(self.last)

    def took(self, seconds: float, now: float) -> None:
        """A redraw that has just ended took so many seconds of the processor."""
        self.redraws += 1
        self.spent += seconds
        self.last = seconds
        self._next = now + interval(seconds)

    def held_up(self, now: float) -> None:
        """The terminal has not yet taken what was drawn: leave the line free as long again, for what keys change. Not
        for longer than `LONGEST_FREE`: other screens draw too, and the journal has to be read.
        """
        self._next = max(self._next, now + min(now - self._begun, LONGEST_FREE))
