"""The first line of every screen: the program, where one is, and what belongs to it."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static


class TitleBar(Static):
    """`where` and `aside` are shown as plain text."""

    where: reactive[str] = reactive("")
    aside: reactive[str] = reactive("")

    def __init__(self, where: str, aside: str = "") -> None:
        super().__init__()
        self.set_reactive(TitleBar.where, where)
        self.set_reactive(TitleBar.aside, aside)

    def render(self) -> Content:
        left = Content.assemble((" dbtui ", "bold"), (f"  {self.where}", "$foreground"))
        room = self.size.width - left.cell_length - 2
        aside = Content(self.aside)
        if room < 8:
            return left
        if aside.cell_length > room:
            aside = Content("…" + self.aside[-(room - 1) :])
        gap = max(1, self.size.width - left.cell_length - aside.cell_length - 1)
        return Content.assemble(left, " " * gap, aside.stylize("$foreground-muted"))
