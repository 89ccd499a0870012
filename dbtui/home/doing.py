"""What can be done from the list of runs, and with which of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events

from core.texts import say
from dbtui.home.rows import RESUMABLE, Entry
from dbtui.home.waiting import can_wait
from dbtui.home.welcome import demo_words
from dbtui.safe import safe
from dbtui.working import Result, Working

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.queue import Queue


STOPPED_FIRST = ("l", "m", "d", "delete")
"""Keys that do nothing while a run trains, and say so."""


class RunActions(Working):
    """The keys of home. Whoever shows the list tells which entry is `selected` and reads it anew with `look`."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home
        self._queue: Queue | None = None

    @property
    def selected(self) -> Entry | None:
        """The highlighted run or draft."""
        raise NotImplementedError

    def look(self) -> None:
        """Read runs and drafts."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is possible with the selected entry stands in the footer and the palette."""
        entry = self.selected
        if action not in ("open", "resume", "longer", "use", "duplicate", "rename", "export", "gallery", "delete"):
            return True
        if entry is None or entry.state == "unknown":
            return False
        is_run = entry.draft is None and entry.summary is not None
        possible = {
            "open": True,
            "delete": not entry.is_alive,
            "resume": entry.state in RESUMABLE or (bool(entry.place) and not entry.is_alive),
            "longer": entry.state == "done" and not entry.place,
            "duplicate": is_run,
            "rename": is_run and not entry.is_alive and not entry.place,
            "gallery": is_run,
            "export": is_run and (entry.state == "done" or bool(entry.summary and entry.summary.saved)),
            "use": is_run,
        }
        return possible[action]

    def on_key(self, event: events.Key) -> None:
        """A key that comes here did nothing."""
        entry = self.selected
        if event.key in STOPPED_FIRST and entry is not None and entry.is_alive:
            self.app.notify(say("home.trains", "{name} has not ended. Stop it first: x in its monitor, which Enter "
                                "opens.", name=safe(entry.name)), severity="warning", markup=False)  # fmt: skip

    def on_option_list_option_selected(self) -> None:
        self.action_open()

    def action_new(self) -> None:
        from dbtui.wizard.flow import start

        start(self.app, self.home, None)

    def action_demo(self) -> None:
        from dbtui.widgets.question import Answer, Question

        answers = (
            Answer("with", "d", say("demo.with", "The demo"),
                   say("demo.with.help", "with class pictures: a plain dog stays one")),
            Answer("without", "w", say("demo.without", "Without class pictures"),
                   say("demo.without.help", "to see what they are for")),
        )  # fmt: skip
        where = say("demo.where", "A run is training in this program: the demo trains in the background then.")
        text = demo_words() + (f"\n\n{where}" if self.dbtui.is_training else "")
        question = Question(say("demo.question", "Try it with the demo?"), text, answers)
        self.app.push_screen(question, lambda answer: self.dbtui.start_demo(prior=answer == "with") if answer else None)

    def action_open(self) -> None:
        entry = self.selected
        if entry is None:
            return
        if entry.draft is not None:
            from dbtui.wizard.flow import start

            start(self.app, self.home, entry.draft)
        else:
            self.dbtui.open_run(entry.name)

    def action_resume(self) -> None:
        from dbtui.home.again import where_question
        from dbtui.home.beginning import train

        entry = self.selected

        def ask(run: Run, started: bool) -> None:
            question = where_question(self.dbtui, run, waits=bool(entry and entry.place), started=started)
            self.app.push_screen(question, lambda answer: train(self, run, answer, self.look) if answer else None)

        self._ask_of_run(lambda run: (run, run.started), lambda found: ask(*found))

    def action_longer(self) -> None:
        from dbtui.home.beginning import ask_longer

        self._ask_of_run(lambda run: run, lambda run: ask_longer(self, run, self.look))

    def action_use(self) -> None:
        from dbtui.monitor.using import open_using

        self._ask_of_run(lambda run: run, lambda run: open_using(self, run))

    def action_duplicate(self) -> None:
        from dbtui.home.again import draft_of
        from dbtui.wizard.flow import start

        self._ask_of_run(draft_of, lambda draft: start(self.app, self.home, draft))

    def action_rename(self) -> None:
        from core.runs.lending import after_renaming
        from core.runs.queue import rename_run
        from dbtui import __version__
        from dbtui.home.again import rename_question

        def ask(run: Run, lent: str) -> None:
            self.app.push_screen(rename_question(self.home, run, lent), lambda name: self.in_thread(
                lambda: rename_run(run, name, __version__), lambda _: self.look()) if name else None)  # fmt: skip

        self._ask_of_run(lambda run: (run, after_renaming(run)), lambda found: ask(*found))

    def action_queue(self) -> None:
        from dbtui.home.waiting import queue_question

        entry = self.selected
        if self._queue is None:
            return
        if self._queue.entries or (entry is not None and can_wait(entry)):
            self.app.push_screen(queue_question(self._queue, entry),
                                 lambda answer: self._change_queue(answer, entry) if answer else None)  # fmt: skip
        else:
            nothing = say("queue.empty", "Nothing waits in the queue.")
            if entry is not None:
                nothing = say("queue.nothing", "Nothing waits in the queue, and the run chosen here cannot.")
            self.app.notify(nothing, markup=False)

    def _change_queue(self, answer: str, entry: Entry | None) -> None:
        from core.runs import queue
        from core.runs.again import share_of
        from core.runs.folder import Run
        from core.runs.longer import take_out
        from dbtui import __version__
        from dbtui.home.beginning import offer_start, start_queue

        name = entry.name if entry is not None else ""
        if answer == "start":
            start_queue(self, self.home, self.look)
            return
        doing: dict[str, Callable[[], object]] = {
            "end": lambda: queue.ask_to_end(self.home),
            "interrupt": lambda: queue.ask_to_end(self.home, now=True),
            "go-on": lambda: queue.take_back(self.home),
            "add": lambda: queue.add(self.home, run := Run.open(self.home, name), **asdict(share_of(run))),
            "remove": lambda: take_out(self.home, name, __version__),
        }

        def changed(_: object) -> None:
            self.look()
            if answer == "add":
                offer_start(self, self.home, name, self.look)

        self.in_thread(doing[answer], changed)

    def action_export(self) -> None:
        from core.runs.folder import Run
        from dbtui.monitor.after import ask_export

        entry = self.selected
        if entry is not None:
            ask_export(self, Run(self.home, entry.name))

    def action_gallery(self) -> None:
        self._ask_of_run(lambda run: run, self.dbtui.open_gallery)

    def _ask_of_run(self, work: Callable[[Run], Result], then: Callable[[Result], Any]) -> None:
        """`ask` with the highlighted run, if it is still there."""
        from core.runs.folder import Run

        entry = self.selected
        if entry is not None and entry.draft is None:
            self.ask(lambda: work(Run.open(self.home, entry.name)), then)

    def action_leave_run(self) -> None:
        """Leave the program."""
        self.dbtui.action_leave()

    def action_delete(self) -> None:
        from dbtui.home.deleting import delete, deletion_question, what_is_lost

        entry = self.selected
        if entry is None:
            return

        def ask(lost: str) -> None:
            self.app.push_screen(deletion_question(entry, lost), lambda answer: self.in_thread(
                lambda: delete(self.home, entry), lambda _: self.look()) if answer == "delete" else None)  # fmt: skip

        if entry.draft is not None:
            ask("")
        else:
            self.ask(lambda: what_is_lost(self.home, entry.name), ask)
