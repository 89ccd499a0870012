"""A run that is asked for something while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.events import Event, Phase, Step
from core.training.trainer import Trainer


@dataclass(frozen=True)
class Asked:
    command: str
    id: str = "1"
    fields: dict[str, Any] = field(default_factory=dict)


def steps_of(events: Sequence[Event]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


class AtStep:
    """Asks for something once the run's folder shows that training has begun."""

    def __init__(self, *commands: Asked, after: int = 3) -> None:
        self.commands = list(commands)
        self.calls = 0
        self.after = after
        self.armed = False

    def __call__(self) -> list[Asked]:
        if not self.armed:
            return []
        self.calls += 1
        if self.calls >= self.after and self.commands:
            return [self.commands.pop(0)]
        return []


def run_with(config: Any, folder: Path, poll: AtStep) -> list[Event]:
    folder.mkdir()
    events = []
    for event in Trainer(config, folder, resume=False, poll=poll).run():
        events.append(event)
        poll.armed = poll.armed or (isinstance(event, Phase) and event.name == "training")
    return events


def answers(events: Sequence[Event]) -> dict[str, str]:
    return {event.id: event.kind for event in events if getattr(event, "id", None)}  # type: ignore[attr-defined]


class AllAtOnce(AtStep):
    """The same, with everything in one poll."""

    def __call__(self) -> list[Asked]:
        first = super().__call__()
        rest, self.commands = (self.commands, []) if first else ([], self.commands)
        return [*first, *rest]
