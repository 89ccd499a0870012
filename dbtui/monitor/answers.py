"""What was asked of the trainer and not answered yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from core import events
from core.texts import Texts, joined, say
from dbtui.monitor.words import line_of
from dbtui.safe import safe

PATIENCE_SECONDS = 10.0
ANSWER_SECONDS = 3.0
"""An answer stands in the log too, and that it is paused at the top."""
MADE_SECONDS = 7.0
"""That something was made is seen nowhere else."""
TITLES = Texts("command", {
    "pause": "Pause", "continue": "Go on", "save": "Save", "sample": "Sample", "stop": "Stop",
})  # fmt: skip


@dataclass(frozen=True)
class Told:
    text: str
    severity: Literal["information", "warning"] = "information"
    seconds: float = 5.0
    """How long it stands there."""


class Answers:
    """Matches the ids of commands with the events that answer them."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, float]] = {}
        self._reminded: set[str] = set()

    @property
    def waiting(self) -> bool:
        return bool(self._asked)

    @property
    def asked(self) -> str:
        """What is still to be answered, in words: `pause asked`."""
        titles = dict.fromkeys(TITLES.get(command, command).lower() for command, _ in self._asked.values())
        return say("answers.asked", "{commands} asked", commands=joined(titles)) if titles else ""

    def awaits(self, command: str) -> bool:
        return any(asked == command for asked, _ in self._asked.values())

    def expect(self, id_: str, command: str, now: float) -> None:
        """Remember a command; `now` in seconds of a monotonic clock."""
        self._asked[id_] = (command, now)

    def take(self, happened: Iterable[events.Event], now: float) -> Iterator[Told]:
        """What to tell: each answer, a refusal as a warning, and once a word when an answer is slow.

        Once the run has ended nobody will answer any more.
        """
        for event in happened:
            id_ = getattr(event, "id", None)
            if id_ in self._asked:
                command, _ = self._asked.pop(id_)
                if isinstance(event, events.Warned):
                    yield Told(safe(event.message), "warning")
                else:
                    yield _answer(event, command)
            if isinstance(event, events.ENDINGS):
                self._asked.clear()
        for id_, (command, asked) in self._asked.items():
            if now - asked > PATIENCE_SECONDS and id_ not in self._reminded:
                self._reminded.add(id_)
                yield Told(say("answers.slow", "{command}: no answer yet. It is looked at between two steps.",
                               command=TITLES.get(command, command)))  # fmt: skip


def _answer(event: events.Event, command: str) -> Told:
    """In fewer words than the log has."""
    if isinstance(event, events.Checkpoint):
        return Told(say("answers.saved", "Saved at step {step:,}.", step=event.step), seconds=MADE_SECONDS)
    if isinstance(event, events.Sample):
        return Told(say("answers.sampled", "Previews of step {step:,} are made.", step=event.step),
                    seconds=MADE_SECONDS)  # fmt: skip
    return Told(line_of(event) or TITLES.get(command, command), seconds=ANSWER_SECONDS)
