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
    """Its title stands in its frame and its tab."""

    def __init__(self, name: str) -> None:
        super().__init__(id=f"pane-{name}", classes="pane")
        self.border_title = TITLES[name]
        self._told: History | None = None

    @property
    def is_seen(self) -> bool:
        return self.display and bool(self.content_size.area)

    async def tell(self, history: History) -> None:
        """Draw `history`, now or as soon as the pane is seen. It is called each second and after changes."""
        self._told = history
        if self.is_seen:
            await self.draw(history)

    async def on_show(self) -> None:
        if self._told is not None:
            await self.tell(self._told)

    async def draw(self, history: History) -> None:
        raise NotImplementedError
