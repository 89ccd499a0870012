"""Trainers of the tests' own making: a generator instead of a run that trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.events import Event
from core.runs.commands import Command
from core.runs.folder import Run
from core.runs.journal import read_journal
from tests.runs.fakes import started, step

Body = Callable[[Path, Callable[[], Sequence[Command]]], Iterator[Event]]


def failing(error: BaseException) -> Body:
    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield started()
        yield step(1)
        yield step(2)
        raise error

    return body


def last(run: Run) -> Event:
    return read_journal(run.journal_path)[-1]
