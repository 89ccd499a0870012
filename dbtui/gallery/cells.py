"""One place of the gallery: a small picture, and its step with what a person thinks of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
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
    """`▸ step 300 · best · picture 1`; marks and words, so that no colour is needed. Where `width` is too small,
    `▸ step 300 · best [1]`, then without the first word.
    """
    if step is None:
        return Content("")
    at, more = say("samples.step", "step {step:,}", step=step), []
    if sample is None:
        more.append(say("gallery.none-here", "no preview"))
    if best:
        more.append(say("gallery.is-best", "best"))
    whole = [at, *more]
    chosen = f" [{compared}]" if compared else ""
    if compared:
        whole.append(say("gallery.compared", "picture {number}", number=compared))
    forms = [" · ".join(whole), " · ".join([at, *more]) + chosen, " · ".join([f"{step:,}", *more]) + chosen]
    mark = "▸ " if focused else "  "
    words = next((form for form in forms if cell_len(mark + form) <= width), forms[-1])
    text = fitted(mark + words, max(1, width))
    return Content.styled(text, "bold $accent" if focused else "$foreground 60%")


def by_step(samples: Iterable[Sample]) -> list[Sample]:
    """In the order in which they were made, to be compared from left to right."""
    return sorted(samples, key=lambda sample: sample.step)


def without_previews(*, ended: bool) -> str:
    """What stands in place of the previews where there are none."""
    if ended:
        return say("gallery.none-made", "No previews: it ended before any was made.")
    return say("gallery.empty", "No previews yet. They are made while it trains: as often as the options of the run "
               "say, and whenever you press s in its monitor.")  # fmt: skip
