"""What is asked of a run: one JSON object a line, appended by anybody, read by the process that trains it."""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.events import Done, Event
from core.files import LineAppender, explain
from core.runs.history import ending_of
from core.runs.home import home_option
from core.runs.journal import JournalTail
from core.runs.lock import owner
from core.runs.output import TRAINING_LOGGER
from core.texts import UserError

if TYPE_CHECKING:
    from core.runs.folder import Run

COMMANDS = ("pause", "continue", "save", "sample", "stop")

_PIECE = 1 << 20
_LOOK_BACK = 1 << 20


@dataclass(frozen=True)
class Command:
    """One wish. The answering event repeats `id`; `fields` holds the rest, such as `discard` of stop."""

    command: str
    id: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def new_command(command: str, **fields: Any) -> Command:
    """A command with an id of its own. Raises `ValueError` for a name that is none."""
    if command not in COMMANDS:
        raise ValueError(f"{command!r} is none of {', '.join(COMMANDS)}")
    return Command(command, secrets.token_hex(8), fields)


def send(run: Run, command: str, **fields: Any) -> str:
    """Ask the process that trains `run`; returns the id that its answer will carry.

    Raises `UserError` where no process trains it, or the wish cannot be written down.
    """
    wish = new_command(command, **fields)
    if owner(run.lock_path) is None:
        if isinstance(ending_of(run), Done):
            raise UserError("run.finished", "{name} has finished: all of its steps are trained, so there is nothing to "
                            "{command}.",
                            mend="`dbtui export {name}{home}` writes its model, `dbtui train {name} --resume --set "
                                 "intervals.epochs=N{home}` trains it longer (N: epochs in all), `dbtui attach "
                                 "{name}{home}` shows how it went.",
                            name=run.name, command=command, home=home_option(run.home))  # fmt: skip
        raise UserError("run.not-running", "Nobody trains {name} now, so there is nobody to {command} it.",
                        mend="Train it with `dbtui train {name} --resume{home}`, or look at it with `dbtui attach "
                             "{name}{home}`.",
                        name=run.name, command=command, home=home_option(run.home))  # fmt: skip
    line = json.dumps({"time": time.time(), "command": wish.command, "id": wish.id, **fields}, allow_nan=False)
    try:
        appender = LineAppender(run.commands_path)
        try:
            appender.append(line)
            appender.sync()
        finally:
            appender.close()
    except OSError as error:
        raise explain(error, run.commands_path) from error
    return wish.id


def await_answer(run: Run, id: str, timeout: float = 10.0) -> Event | None:  # noqa: A002 - the field's own name
    """The event that answers the command `id`; `None` when there is none within `timeout` seconds.

    Raises `UserError` if the process that trains `run` ends without having answered.
    """
    deadline = time.monotonic() + timeout
    tail = JournalTail(run.journal_path, last_bytes=_LOOK_BACK)
    while True:
        gone = owner(run.lock_path) is None  # before reading: what it said at the end counts
        while True:
            for event in tail.poll():
                if getattr(event, "id", None) == id:
                    return event
            if not tail.behind:
                break
        if gone:
            raise UserError("run.ended-unanswered", "{name} ended before it answered.",
                            mend="`dbtui attach {name}{home}` shows how.", name=run.name,
                            home=home_option(run.home))  # fmt: skip
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.1)


class CommandReader:
    """The commands that arrive after this was made, or after `start_here`.

    Whoever sees the run's lock held may send one at once, so the place to start from is noted right before the lock
    is taken: `lock.acquire(before_each_try=reader.start_here)`.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o666)
        self._log = logging.getLogger(TRAINING_LOGGER)
        self._offset = 0
        self.start_here()

    def start_here(self) -> None:
        """Leave out what stands in the file now."""
        self._offset = os.fstat(self._descriptor).st_size

    def poll(self) -> list[Command]:
        """The commands since the last call; cheap enough for every micro-step. A torn line waits for its end."""
        size = os.fstat(self._descriptor).st_size
        self._offset = min(self._offset, size)
        if size == self._offset:
            return []
        piece = os.pread(self._descriptor, _PIECE, self._offset)
        whole = piece.rfind(b"\n") + 1
        if not whole and len(piece) == _PIECE:
            self._log.warning("a line of commands longer than %d bytes was left out", _PIECE)
            whole = _PIECE
        self._offset += whole
        return [command for line in piece[:whole].split(b"\n") if line and (command := self._read(line)) is not None]

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _read(self, line: bytes) -> Command | None:
        try:
            values = json.loads(line)
            name, id_ = values.pop("command"), values.pop("id", "")
            values.pop("time", None)
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            name = id_ = None
        if name not in COMMANDS or not isinstance(id_, str):
            self._log.warning("a command that is none was left out: %r", line[:200])
            return None
        return Command(name, id_, values)


class Requests:
    """Commands from this very process: signal handlers and the app's keys. `put` may be called from a handler."""

    def __init__(self) -> None:
        self._waiting: deque[Command] = deque()

    def put(self, command: Command) -> None:
        self._waiting.append(command)

    def take(self) -> list[Command]:
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken
