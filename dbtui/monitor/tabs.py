"""The line of tabs over the one pane that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from dbtui.monitor.words import QUIET


class TabLine(Static):
    """` 1 Loss  2 Learning rate …`; keys and clicks choose."""

    DEFAULT_CSS = """
    TabLine { height: 1; width: 1fr; background: $panel; }
    """
    ALLOW_SELECT = False

    @dataclass
    class Chosen(Message):
        name: str

    def __init__(self, tabs: Sequence[tuple[str, str]]) -> None:
        super().__init__(markup=False)
        self._tabs = tuple(tabs)

    def choose(self, chosen: str) -> None:
        """Mark one tab; its brackets tell it without colour."""
        parts = []
        for number, (name, title) in enumerate(self._tabs, 1):
            if name == chosen:
                parts.append(Content.styled(f"[{number} {title}]", "bold $primary"))
            else:
                parts.append(Content.styled(f" {number} {title} ", QUIET))
        self.update(Content(" ").join(parts))

    def on_click(self, event: events.Click) -> None:
        start = 0
        for number, (name, title) in enumerate(self._tabs, 1):
            end = start + cell_len(f" {number} {title} ") + 1
            if start <= event.x < end:
                self.post_message(self.Chosen(name))
            start = end
