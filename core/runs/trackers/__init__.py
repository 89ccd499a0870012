"""Where a run's figures go beside its journal: a thread follows the journal and tells whoever wants to know.

The trainer knows nothing of it. What fails here (a missing library, a network that is down) is told once as a warning
and ends that tracker alone; training goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from core.config.options import RunConfig
from core.events import Event
from core.runs.journal import JournalTail
from core.texts import Message, UserError, message, say

T = TypeVar("T")

POLL_SECONDS = 1.0
CLOSE_SECONDS = 20.0
"""How long the end of a run waits for the last figures: a network may be gone."""


class Tracker(Protocol):
    """Gets every event of one life of a run, in order, until one cannot be told; `close` is the last call then too."""

    title: str

    def tell(self, event: Event) -> None:
        """Keep what this event says. Anything raised ends this tracker."""

    def flush(self) -> None:
        """Everything told so far can be seen by others."""

    def close(self) -> None:
        """The end of this life: write what is left."""


Build = Callable[[], Tracker]


def wanted(config: RunConfig, folder: Path) -> Iterator[tuple[str, Build]]:
    """(title, build) of what is switched on. The libraries are imported by `build`, in the thread."""
    if config.tracking.tensorboard:
        from core.runs.trackers.tensorboard import TensorBoard

        yield TensorBoard.title, lambda: TensorBoard(folder)
    if config.tracking.wandb_project:
        from core.runs.trackers.weights_and_biases import WeightsAndBiases

        yield WeightsAndBiases.title, lambda: WeightsAndBiases(config, folder)


class Tracking:
    """The thread that follows the journal of one life of a run."""

    def __init__(self, builds: Sequence[tuple[str, Build]], journal: Path, log: logging.Logger) -> None:
        self._builds = builds
        self._journal = journal
        self._log = log
        self._troubles: list[Message] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="trackers", daemon=True)
        self._tail: JournalTail | None = None

    def start(self) -> None:
        """Follow from where the journal ends now."""
        if self._builds:
            self._tail = JournalTail(self._journal, last_bytes=0)
            self._thread.start()

    def close(self) -> None:
        """After the journal's last line is written: wait until it was told, at most `CLOSE_SECONDS`."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                self._log.warning("trackers did not end within %s s: the last figures may be missing", CLOSE_SECONDS)

    def troubles(self) -> list[Message]:
        """What failed since the last call."""
        found, self._troubles = self._troubles, []
        return found

    def _follow(self) -> None:
        trackers: list[Tracker] | None = None
        ending = False
        while trackers != [] and not ending:
            ending = self._closing.wait(POLL_SECONDS)
            for events in self._news():
                if trackers is None and events:  # the trainer has imported torch by now: two threads must not at once
                    trackers = [made for title, build in self._builds if (made := self._attempt(title, build))]
                trackers = trackers and [each for each in trackers if self._told(each, events)]
        for tracker in trackers or ():
            self._attempt(tracker.title, tracker.close)

    def _told(self, tracker: Tracker, events: Sequence[Event]) -> bool:
        """Whether it goes on: one that failed is closed, so that what it has got is kept."""
        if self._attempt(tracker.title, _telling(tracker, events)):
            return True
        try:
            tracker.close()
        except Exception:
            self._log.exception("%s could not be closed", tracker.title)
        return False

    def _news(self) -> Iterator[list[Event]]:
        """All that the journal says by now, a piece at a time."""
        assert self._tail is not None
        try:
            yield self._tail.poll()
            while self._tail.behind:
                yield self._tail.poll()
        except UserError as error:
            self._log.warning("%s", error)  # it is read again at the next poll

    def _attempt(self, title: str, act: Callable[[], T]) -> T | None:
        """What `act` returns, or `None` where it failed: told once, in the journal and whole in the log."""
        try:
            return act()
        except Exception as error:
            self._log.exception("%s failed", title)
            reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self._troubles.append(message(
                "tracking.failed", "{title} gets no more figures of this run: {reason} Training goes on.",
                mend="The journal has all of them.", title=title, reason=_sentence(reason)))  # fmt: skip
            return None


def _telling(tracker: Tracker, events: Sequence[Event]) -> Callable[[], bool]:
    def tell() -> bool:
        for event in events:
            tracker.tell(event)
        if events:
            tracker.flush()
        return True

    return tell


def _sentence(text: str) -> str:
    return say("reason.sentence", "{reason}.", reason=" ".join(text.split())[:300].rstrip(". 。"))
