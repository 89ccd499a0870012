"""A part of the monitor with a title of its own. It draws only while it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical

from core.texts import Texts

if TYPE_CHECKING:
    from core.runs.history import History

TITLES = Texts("pane", {
    "loss": "Loss", "rate": "Learning rate", "samples": "Previews", "machine": "Machine", "log": "Log",
})  # fmt: skip


class Pane(Vertical):
    """Its title stands in its frame and its tab. `tell` draws `history`: it is called each second and after changes."""

    def __init__(self, name: str) -> None:
        super().__init__(id=f"pane-{name}", classes="pane")
        self.border_title = TITLES[name]

    @property
    def is_seen(self) -> bool:
        return self.display and bool(self.content_size.area)

    async def tell(self, history: History) -> None:
        raise NotImplementedError
