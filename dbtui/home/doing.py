"""What can be done from the list of runs, and with which of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.texts import UserError, say
from dbtui.home.rows import RESUMABLE, Entry
from dbtui.home.waiting import can_wait
from dbtui.home.welcome import demo_words
from dbtui.safe import safe_message
from dbtui.working import Result, Working

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.longer import Length
    from core.runs.queue import Queue


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
        if action not in ("open", "resume", "longer", "duplicate", "rename", "export", "gallery", "delete"):
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
            "export": is_run and bool(entry.summary and entry.summary.step),
        }
        return possible[action]

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

        entry = self.selected

        def ask(run: Run, started: bool) -> None:
            question = where_question(self.dbtui, run, waits=bool(entry and entry.place), started=started)
            self.app.push_screen(question, lambda answer: self._train(run, answer) if answer else None)

        self._ask_of_run(lambda run: (run, run.started), lambda found: ask(*found))

    def _train(self, run: Run, where: str, *, changes: Callable[[], object] | None = None) -> None:
        """Begin or go on with `run`, here, in the background or when its turn comes, once `changes` were made to it.
        Where that is refused its options are those of before, and what waits in the queue waits on.
        """
        from core.runs.again import share_of
        from core.runs.queue import add, read_queue, remove
        from dbtui.home.again import Before

        def prepare() -> Before:
            before = Before(run)
            if changes is not None:
                changes()
            if where == "queue":
                try:
                    add(self.home, run, **asdict(share_of(run)))
                except (UserError, OSError):
                    before.put_back()
                    raise
            return before

        def begin(before: Before) -> None:
            def settle(begun: bool) -> None:
                if not begun:
                    before.put_back()
                elif read_queue(self.home).place(run.name):
                    remove(self.home, run.name)
                self.app.call_later(self.look)

            if where != "queue":
                self.dbtui.start_run(run, resume=True, background=where == "background", after=settle)
            self.look()

        self.in_thread(prepare, begin)

    def action_longer(self) -> None:
        from core.runs.history import summary
        from core.runs.longer import length_of
        from dbtui.home.again import longer_question

        def ask(run: Run, length: Length) -> None:
            question = longer_question(run, length)
            self.app.push_screen(
                question, lambda more: self._longer(run, int(more), length.steps_per_epoch) if more else None
            )

        self._ask_of_run(lambda run: (run, length_of(run, summary(run))), lambda found: ask(*found))

    def _longer(self, run: Run, more: int, steps_per_epoch: int) -> None:
        from core.runs.longer import changes_for
        from dbtui import __version__
        from dbtui.home.again import where_question

        def lengthen() -> object:
            return run.extend(changes_for(run.config(), more, steps_per_epoch), __version__)

        self.app.push_screen(where_question(self.dbtui, run, waits=False),
                             lambda where: self._train(run, where, changes=lengthen) if where else None)  # fmt: skip

    def action_duplicate(self) -> None:
        from dbtui.home.again import draft_of
        from dbtui.wizard.flow import start

        self._ask_of_run(lambda run: draft_of(self.home, run.config()),
                         lambda draft: start(self.app, self.home, draft))  # fmt: skip

    def action_rename(self) -> None:
        from core.runs.queue import rename_run
        from dbtui import __version__
        from dbtui.home.again import rename_question

        self._ask_of_run(lambda run: run, lambda run: self.app.push_screen(
            rename_question(self.home, run), lambda name: self.in_thread(
                lambda: rename_run(run, name, __version__), lambda _: self.look()) if name else None))  # fmt: skip

    def action_queue(self) -> None:
        from dbtui.home.waiting import queue_question

        entry = self.selected
        if self._queue is None:
            return
        if self._queue.entries or (entry is not None and can_wait(entry)):
            self.app.push_screen(queue_question(self._queue, entry),
                                 lambda answer: self._change_queue(answer, entry) if answer else None)  # fmt: skip
        else:
            self.app.notify(say("queue.nothing", "Nothing waits in the queue, and nothing is chosen here that could. "
                                "Ctrl+C leaves the program."), markup=False)  # fmt: skip

    def _change_queue(self, answer: str, entry: Entry | None) -> None:
        from core.runs import queue
        from core.runs.again import share_of
        from core.runs.folder import Run

        name = entry.name if entry is not None else ""
        doing: dict[str, Callable[[], object]] = {
            "start": lambda: queue.start(self.home),
            "end": lambda: queue.ask_to_end(self.home),
            "interrupt": lambda: queue.ask_to_end(self.home, now=True),
            "go-on": lambda: queue.take_back(self.home),
            "add": lambda: queue.add(self.home, run := Run.open(self.home, name), **asdict(share_of(run))),
            "remove": lambda: queue.remove(self.home, name),
        }
        if answer == "start":
            self.app.notify(say("queue.starting", "Starting the process that trains them. It takes some seconds."),
                            markup=False)  # fmt: skip
        self.in_thread(doing[answer], lambda _: self._queue_changed(answer))

    def _queue_changed(self, answer: str) -> None:
        from core.runs.logout import ended_at_logout

        danger = ended_at_logout() if answer == "start" else None
        if danger is not None:
            self.app.notify(safe_message(danger), severity="warning", timeout=20, markup=False)
        self.look()

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
