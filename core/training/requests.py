"""What was asked of a training run: pause, continue, save, sample, stop.

Commands are looked at often (between micro-batches, denoising steps and cache batches) and obeyed where the trainer
can obey them: at step boundaries and while paused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from core.events import Continued, Event, Paused, Warned
from core.texts import Texts, message

PAUSE_POLL_SECONDS = 0.1
ASKED = Texts("command.asked", {
    "pause": "pause", "continue": "go on", "save": "save its state", "sample": "make previews", "stop": "stop",
})  # fmt: skip
"""Command → what the run was asked to do."""


class Command(Protocol):
    """One line of the commands file, or a request from a signal or a key of this process."""

    @property
    def command(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...


Poll = Callable[[], Sequence[Command]]
"""Returns the commands that came since the last call; also the trainer's heartbeat."""


class StopRequested(Exception):
    """Raised out of long work before and between steps when a stop was asked for; the trainer catches it."""


class Requests:
    """The commands that wait to be obeyed, in the order they came."""

    def __init__(self, poll: Poll) -> None:
        self._poll = poll
        self._waiting: list[Command] = []
        self.stop: Command | None = None

    def look(self) -> None:
        """Take in what was asked; a stop is known at once, whatever waits before it. Of several the latest counts."""
        for command in self._poll():
            if command.command != "stop":
                self._waiting.append(command)
                continue
            if self.stop is not None:
                self._waiting.append(self.stop)
            self.stop = command

    def look_or_stop(self) -> None:
        """The same, for work that may be abandoned: raises `StopRequested`."""
        self.look()
        if self.stop is not None:
            raise StopRequested

    def given_up(self) -> bool:
        """Look, and tell whether what was trained is to be discarded."""
        self.look()
        return self.stop is not None and bool(self.stop.fields.get("discard"))

    def obey(
        self,
        step: int,
        act: Callable[[Command], Iterator[Event]],
        meanwhile: Callable[[], Iterator[Event]],
        *,
        rest: float = 0.0,
    ) -> Iterator[Event]:
        """Obey everything that waits; returns when the run may go on or must stop.

        `act` does what is not pausing, `meanwhile` tells what became of it while the run is paused. The run goes on
        after `rest` seconds at the soonest, or when it is told to continue.
        """
        self.look()
        paused, until = False, time.monotonic() + rest
        while True:
            while self._waiting and self.stop is None:
                command = self._waiting.pop(0)
                if command.command == "pause":
                    paused = True
                    yield Paused(step=step, id=command.id)
                elif command.command == "continue":
                    paused, until = False, 0.0
                    yield Continued(step=step, id=command.id)
                else:
                    yield from act(command)
            resting = until - time.monotonic()
            if (not paused and resting <= 0) or self.stop is not None:
                return
            time.sleep(PAUSE_POLL_SECONDS if paused else min(PAUSE_POLL_SECONDS, resting))
            yield from meanwhile()
            self.look()

    def obey_early(self) -> Iterator[Event]:
        """Before the first step: pauses are kept, a stop raises `StopRequested`, the rest is answered with a no."""
        yield from self.obey(0, _not_yet, lambda: iter(()))
        if self.stop is not None:
            raise StopRequested

    def left_over(self) -> list[Command]:
        """At the end of a run: what will not be obeyed any more, a stop in whose place another came included."""
        left, self._waiting = [*self._waiting, *self._poll()], []
        return left


def too_late(command: Command) -> Warned:
    """The answer to what was asked of a run that was ending."""
    said = message("command.too-late", "The run was ending already when it was asked to {command}.",
                   command=ASKED.get(command.command, command.command))  # fmt: skip
    return Warned(code=said.code, message=said.text, id=command.id)


def _not_yet(command: Command) -> Iterator[Event]:
    """The answer to save and sample before the first step: there is nothing to save or show."""
    said = message("command.too-early", "Nothing can be saved yet: training has not begun.")
    if command.command == "sample":
        said = message("command.too-early", "No preview can be made yet: training has not begun.")
    yield Warned(code=said.code, message=said.text, id=command.id)
