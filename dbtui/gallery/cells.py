"""One place of the gallery: a small picture, and its step with what a person thinks of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from core.events import Sample
from core.texts import say
from dbtui.gallery.pictures import reader
from dbtui.widgets.picture import Picture
from dbtui.widths import fitted

if TYPE_CHECKING:
    from textual.visual import VisualType


class Cell(Vertical):
    """`place` is its row and column among those that are seen."""

    @dataclass
    class Clicked(Message):
        place: tuple[int, int]
        times: int

    def __init__(self, place: tuple[int, int], width: int, height: int) -> None:
        super().__init__()
        self.place = place
        self._room = width, height
        self._said: VisualType = ""

    def compose(self) -> ComposeResult:
        picture = Picture()
        picture.styles.width, picture.styles.height = self._room
        yield picture
        yield Static("", markup=False)

    def show(
        self, sample: Sample | None, folder: Path, *, step: int | None, focused: bool, compared: int, best: bool
    ) -> None:
        """`compared` is 1 or 2 for the pictures that are to be compared, 0 for others."""
        self.set_class(focused, "-focused")
        if sample is None:
            self.query_one(Picture).clear()
        else:
            path = folder / sample.path
            self.query_one(Picture).show((path,), reader(path), str(path))
        words = caption(sample, step=step, focused=focused, compared=compared, best=best, width=self._room[0])
        if words != self._said:
            self._said = words
            self.query_one(Static).update(words, layout=False)

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(self.place, event.chain))


def caption(
    sample: Sample | None, *, step: int | None, focused: bool, compared: int, best: bool, width: int
) -> Content:
    """`▸ step 300 · best · to compare: 1`; marks and words, so that no colour is needed."""
    if step is None:
        return Content("")
    parts = [say("samples.step", "step {step:,}", step=step)]
    if sample is None:
        parts.append(say("gallery.none-here", "no preview"))
    if best:
        parts.append(say("gallery.is-best", "best"))
    if compared:
        parts.append(say("gallery.compared", "picture {number}", number=compared))
    text = fitted(f"{'▸' if focused else ' '} {' · '.join(parts)}", max(1, width))
    return Content.styled(text, "bold $accent" if focused else "$foreground 60%")
