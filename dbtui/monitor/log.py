"""What happened, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core import events
from dbtui.monitor.pane import Pane
from dbtui.monitor.words import QUIET, clock, line_of
from dbtui.widgets.hanging import Hanging, Hung

if TYPE_CHECKING:
    from core.runs.history import History

MOST_LINES = 500
LATE_SECONDS = 60.0
"""An event that is older than the one before it by more was told when the clock had been set back."""
FOLLOWED = ("sampling", "saving", "exporting")
"""Phases in the midst of training; the event that ends them says more than their beginning."""

STYLES: tuple[tuple[type[events.Event], str], ...] = (
    (events.Failed, "$error"),
    (events.Warned, "$warning"),
    (events.Done, "$success"),
)


class LogPane(Pane):
    """The last lines; it stays at the newest unless it is scrolled up."""

    def __init__(self) -> None:
        super().__init__("log")
        self._lines: list[tuple[float, Hung]] = []
        self._phase = ""
        self._is_new = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="log-lines", can_focus=False):
            yield Static("", markup=False)

    def on_mount(self) -> None:
        self.query_one("#log-lines", VerticalScroll).anchor()

    def add(self, happened: Iterable[events.Event]) -> None:
        """Take in what was read from the journal; nothing is drawn here."""
        for event in happened:
            line = self._line(event)
            if line is not None:
                self._put(event.time, line)
                self._is_new = True
        del self._lines[:-MOST_LINES]

    def _put(self, moment: float, line: Hung) -> None:
        """Where its time says: what is done in a thread beside the training is told a little later than it happened."""
        place = len(self._lines)
        while place and 0 < self._lines[place - 1][0] - moment < LATE_SECONDS:
            place -= 1
        self._lines.insert(place, (moment, line))

    async def draw(self, history: History) -> None:
        if self._is_new:
            self._is_new = False
            self.query_one("#log-lines Static", Static).update(Hanging(tuple(line for _, line in self._lines)))

    def _line(self, event: events.Event) -> Hung | None:
        if isinstance(event, events.Phase):
            if event.name == self._phase:
                return None
            before, self._phase = self._phase, event.name
            if event.name in FOLLOWED or (event.name == "training" and before in FOLLOWED):
                return None
        told = line_of(event)
        if told is None:
            return None
        style = next((style for kind, style in STYLES if isinstance(event, kind)), "")
        return Hung(Content.assemble((clock(event.time), QUIET), "  "), Content.styled(told, style))
