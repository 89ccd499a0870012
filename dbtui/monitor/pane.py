"""A part of the monitor with a title of its own. It draws only while it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical

if TYPE_CHECKING:
    from core.runs.history import History


class Pane(Vertical):
    """`title` stands in its frame and its tab. `tell` draws `history`; it is called once a second and after changes."""

    title = ""

    def __init__(self, name: str) -> None:
        super().__init__(id=f"pane-{name}", classes="pane")
        self.border_title = self.title

    @property
    def is_seen(self) -> bool:
        return self.display and bool(self.content_size.area)

    async def tell(self, history: History) -> None:
        raise NotImplementedError
