"""What begins a run that is there, from the list of runs and from its monitor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from core.texts import UserError, say
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question
from dbtui.working import Working

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.longer import Length

Changed = Callable[[], object]
"""Called in the app whenever something of the run has changed."""


def train(
    screen: Working, run: Run, where: str, changed: Changed, *, changes: Callable[[], object] | None = None
) -> None:
    """Begin or go on with `run`, here, in the background or when its turn comes, once `changes` were made to it.
    Where that is refused its options are those of before, and what waits in the queue waits on.
    """
    from core.runs.again import share_of
    from core.runs.history import summary
    from core.runs.queue import add, read_queue, remove
    from core.runs.takes import takes
    from dbtui.home.again import Before

    home, app = run.home, screen.dbtui

    def prepare() -> Before:
        before = Before(run)
        if changes is not None:
            changes()
        if where == "queue":
            try:
                seconds = takes(run, summary(run), lengthened=changes is not None)
                add(home, run, seconds=seconds, **asdict(share_of(run)))
            except (UserError, OSError):
                before.put_back()
                raise
        return before

    def begin(before: Before) -> None:
        def settle(begun: bool) -> None:
            if not begun:
                before.put_back()
            elif read_queue(home).place(run.name):
                remove(home, run.name)
            app.call_later(changed)

        if where == "queue":
            offer_start(screen, home, run.name, changed)
        else:
            app.start_run(run, resume=True, background=where == "background", after=settle)
        changed()

    screen.in_thread(prepare, begin)


def ask_longer(screen: Working, run: Run, changed: Changed) -> None:
    """Ask for how many epochs more and where; train."""
    from core.runs.history import summary
    from core.runs.longer import changes_for, length_of
    from dbtui import __version__
    from dbtui.home.again import longer_question, where_question

    def ask(length: Length) -> None:
        screen.app.push_screen(longer_question(run, length),
                               lambda more: ask_where(int(more), length) if more else None)  # fmt: skip

    def ask_where(more: int, length: Length) -> None:
        def lengthen() -> object:
            return run.extend(changes_for(run.config(), more, length), __version__)

        screen.app.push_screen(
            where_question(screen.dbtui, run, waits=False),
            lambda where: train(screen, run, where, changed, changes=lengthen) if where else None,
        )

    screen.ask(lambda: length_of(run, summary(run)), ask)


def offer_start(screen: Working, home: Path, name: str, changed: Changed) -> None:
    """A run was put into the queue: where nobody works that off, ask whether to begin with it now."""
    from core.runs.queue import read_queue

    def ask(works: bool) -> None:
        if works:
            screen.app.notify(say("queue.gets-turn", "{name} waits in the queue and gets its turn.", name=safe(name)),
                              markup=False)  # fmt: skip
            return
        answers = (
            Answer("start", "s", say("queue.start-now", "Start the queue now"),
                   say("queue.start.help", "in the background, one after the other")),
            Answer("later", "l", say("queue.start-later", "Later"),
                   say("queue.start-later.help", "w in the list of runs starts it")),
        )  # fmt: skip
        question = Question(say("queue.added.question", "{name} waits in the queue. Start the queue now?",
                                name=safe(name)),
                            say("queue.added.text", "Nobody trains what waits there until it is started."),
                            answers)  # fmt: skip
        screen.app.push_screen(
            question, lambda chosen: start_queue(screen, home, changed) if chosen == "start" else None
        )

    screen.in_thread(lambda: read_queue(home).worker is not None, ask)


def start_queue(screen: Working, home: Path, changed: Changed) -> None:
    """Train what waits, in a process of its own."""
    from core.runs import queue
    from core.runs.logout import ended_at_logout
    from dbtui.safe import safe_message

    screen.app.notify(say("queue.starting", "Starting the process that trains them. It takes some seconds."),
                      markup=False)  # fmt: skip

    def started(_: int) -> None:
        danger = ended_at_logout()
        if danger is not None:
            screen.app.notify(safe_message(danger), severity="warning", timeout=20, markup=False)
        changed()

    screen.in_thread(lambda: queue.start(home), started)
