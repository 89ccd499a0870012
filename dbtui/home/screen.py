"""Home: every run and draft, and a welcome where there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ActiveBinding
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.texts import UserError, say
from dbtui.actions import as_fits, bindings, said_as, shown_as, trains_anew, trains_first
from dbtui.home.doing import RunActions
from dbtui.home.rows import Entry, describe, heads, line, longer
from dbtui.home.waiting import queue_line
from dbtui.home.welcome import welcome
from dbtui.safe import safe, safe_message
from dbtui.widgets.footer import Footer
from dbtui.widgets.title import TitleBar

if TYPE_CHECKING:
    from core.runs.news import Ending, News
    from core.runs.overview import Listed, Overview
    from core.runs.queue import Queue

REFRESH_SECONDS = 2.0
AWAY_TICKS = 5
"""Behind another screen only each fifth look counts: it is for the runs that end meanwhile."""
WIDE = 100
"""Columns from which there is room for the command too."""


class RunList(OptionList, inherit_bindings=False):
    """The list; Enter belongs to the screen, so that the footer shows it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", show=False),
        Binding("up,k", "cursor_up", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]


@dataclass(frozen=True)
class Reading:
    """What one look found: `trouble` is what is wrong with the folder of the runs, `ended` who ended since the last."""

    entries: list[Entry]
    queue: Queue | None
    trouble: str
    ended: list[tuple[str, Ending]]


class HomeScreen(RunActions):
    """Reads the runs in a thread every two seconds while it is seen, and now and then while it is not."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("home")]
    AUTO_FOCUS = "RunList"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.entries: list[Entry] = [Entry(name) for name in _names(home / "runs")]
        self._has_drafts = bool(_names(home / "drafts"))
        self._is_ready = False
        self._was_read = False
        """Whether the list shows what was read, and no longer the bare names of the first frame."""
        self._is_empty = False
        """Whether the welcome stands here instead of a list."""
        self._trouble = ""
        self._overview: Overview | None = None
        self._news: News | None = None
        self._ticks = 0
        self._is_measuring = False
        self._followed = ""
        """The id of the entry that the cursor goes to once it is read."""

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "home.help",
            "Your runs and drafts: what trains first, then what waits in the queue, then the last changed.\n\n"
            "► trains now   ‖ paused   » waits   ■ stopped   ✓ done   ✗ failed   ? cut off   ~\u00a0draft",
        )

    def compose(self) -> ComposeResult:
        yield TitleBar(say("home.title", "Runs"), safe(self.home))
        yield Static(welcome(), id="welcome")
        with Vertical(id="list"):
            yield Static("", id="heads", markup=False)
            yield RunList(markup=False)
            with Vertical(id="below"):
                yield Static("", id="queue", markup=False)
                yield Static("", id="detail", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self._is_ready = True
        self._show(self.entries)
        self._timer = self.set_interval(REFRESH_SECONDS, self._tick)
        self.call_after_refresh(self.look)

    async def in_other_words(self) -> None:
        """The language has changed."""
        self._is_ready = False
        selected = self.query_one(RunList).highlighted
        await self.recompose()
        self._is_ready = True
        self._show(self.entries)
        self.query_one(RunList).highlighted = selected
        self.query_one(RunList).focus()

    def on_screen_resume(self) -> None:
        if hasattr(self, "_timer"):
            self.look()

    def on_resize(self) -> None:
        self._show(self.entries)

    # --- reading ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._ticks += 1
        if self.app.screen is self or self._ticks % AWAY_TICKS == 0:
            self.look()

    def look(self) -> None:
        """Read runs and drafts in a thread."""
        self.read(self._read, self._was_looked)

    def _read(self) -> Reading:
        """In a thread."""
        from core.runs.news import News
        from core.runs.overview import Overview
        from dbtui.drafts import list_drafts

        if self._overview is None:
            self._overview = Overview(self.home)
            self._news = News()
        runs: list[Listed] = []
        entries = [Entry(draft.title, draft=draft) for draft in list_drafts(self.home)]
        queue, trouble = self._queue, ""
        try:
            runs, queue = self._overview.read()
            entries += [
                Entry(run.name, run.summary, trouble=safe_message(run.trouble) if run.trouble else "", place=run.place,
                      bytes=run.bytes, begins=self._begins(run, queue))
                for run in runs
            ]  # fmt: skip
        except UserError as error:
            trouble = safe_message(error.message)
        entries.sort(key=lambda entry: entry.rank)
        return Reading(entries, queue, trouble, self._news.of(runs) if self._news is not None and not trouble else [])

    def _begins(self, run: Listed, queue: Queue) -> bool:
        """Whether it was told to train, by the queue or from here, and has said nothing since."""
        if run.name in self.dbtui.beginning:
            return True
        turn = queue.current
        if turn is not None and turn.name == run.name:
            return run.summary is not None and (run.summary.updated or 0.0) < turn.begun
        here = self.dbtui.training_run
        return here is not None and here.name == run.name and self.dbtui.is_training

    def _measure(self) -> None:
        """Sum up how much room each run takes, in a thread of its own: a slow disk holds nothing else up."""
        if self._is_measuring or self._overview is None:
            return
        self._is_measuring = True
        overview = self._overview

        def measure() -> bool:
            try:
                return overview.measure()
            except UserError:  # the list itself says it
                return False

        def over() -> None:
            self._is_measuring = False

        self.in_thread(measure, lambda changed: self.look() if changed else None, over)

    def _was_looked(self, found: Reading) -> None:
        """Show what was read, and tell of the runs that ended since the last time.

        The first time the cursor goes to the first row; later it keeps to its run.
        """
        entries, self._queue, self._trouble = found.entries, found.queue, found.trouble
        for name, ending in found.ended:
            self.dbtui.announce(name, ending)
        if self._was_read and self.app.screen is not self:
            return  # nobody sees it, and it looks again when it comes back
        keep, self._was_read = self._was_read, True
        self._show(entries, keep=keep)
        if self.app.screen is self:
            self._measure()

    def _show(self, entries: list[Entry], *, keep: bool = True) -> None:
        if not self._is_ready:
            return
        runs = self.query_one(RunList)
        before = self.selected if keep else None
        self.entries = entries
        self._is_empty = not entries and not self._has_drafts and not self._trouble
        self._has_drafts = False
        self.query_one("#welcome").display = self._is_empty
        self.query_one("#list").display = not self._is_empty
        width = self.size.width - 2
        self.query_one("#heads", Static).update(heads(width))
        options = [Option(line(entry, width), id=entry.id) for entry in entries]
        if [option.id for option in options] == [option.id for option in runs.options]:
            for option in options:
                runs.replace_option_prompt(cast(str, option.id), option.prompt)
            if not keep and entries:
                runs.highlighted = 0
        else:
            place = (runs.highlighted or 0) if before else 0
            runs.clear_options()
            runs.add_options(options)
            near = min(place, len(entries) - 1)  # where its run is gone, on the one that took its place
            kept = next((number for number, entry in enumerate(entries) if before and entry.id == before.id), near)
            runs.highlighted = kept if entries else None
        self._go_to_followed()
        self._selection_changed()

    def follow(self, name: str) -> None:
        """`stand_on` the run called `name`."""
        self.stand_on(Entry(name))

    def stand_on(self, entry: Entry) -> None:
        """Put the cursor on it: now, or once it stands in the list."""
        self._followed = entry.id
        self._go_to_followed()

    def _go_to_followed(self) -> None:
        places = {entry.id: number for number, entry in enumerate(self.entries)}
        place = places.get(self._followed)
        if place is not None and self._is_ready:
            self.query_one(RunList).highlighted = place
            if self._was_read:
                self._followed = ""

    @property
    def selected(self) -> Entry | None:
        """The highlighted run or draft."""
        if not self._is_ready:
            return None
        number = self.query_one(RunList).highlighted
        return self.entries[number] if number is not None and number < len(self.entries) else None

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """What is needed less often stands in the footer where there is room for it."""
        waits = self._queue is not None and bool(self._queue.entries)
        optional = ["queue", "demo"] if waits else ["demo"]
        optional += [action for action in ("use", "duplicate", "queue") if action not in optional]
        active, entry = super().active_bindings, self.selected
        if entry is not None and not (entry.summary and entry.summary.step):
            active = shown_as(active, {"use": False})
            optional.remove("use")
        if not self._is_empty:
            active = said_as(active, {"demo": (say("home.demo-key", "Demo"), "")})
        if entry is not None and entry.place:
            active = said_as(active, {"resume": (say("home.start-now", "Start now"), say(
                "home.start-now.help", "Trains it at once, without waiting for its turn: beside what "
                "trains now."))})  # fmt: skip
        elif entry is not None and entry.state == "new":
            active = said_as(active, {"resume": trains_first()})
        elif entry is not None and entry.begins_anew:
            active = said_as(active, {"resume": trains_anew()})
        return as_fits(self.app, active, optional, self.size.width)

    def on_option_list_option_highlighted(self) -> None:
        self._selection_changed()

    def _selection_changed(self) -> None:
        entry = self.selected
        told = describe(entry) if entry else ""
        if entry is not None and entry.state == "done" and self.size.width >= WIDE:
            told += f"\n{longer(entry.name, self.home)}"
        self.query_one("#detail", Static).update(self._trouble or told)
        waits = queue_line(self._queue, self.entries)
        self.query_one("#queue", Static).update(waits)
        self.query_one("#queue").display = bool(waits)
        self.refresh_bindings()


def _names(directory: Path) -> list[str]:
    """Folder entries that a first frame can show before anything was read."""
    try:
        return sorted(entry.name for entry in os.scandir(directory) if not entry.name.startswith("."))
    except OSError:
        return []
