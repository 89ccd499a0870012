"""The pictures of a subject as one small sheet, drawn where there is room, made in a thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.data.sizes import Size
from core.texts import UserError, say
from dbtui.widgets.graphics import picture_widget, protocol
from dbtui.wizard.asking import Asker

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.widget import Widget

Pictures = tuple[tuple[Path, Size | None], ...]
"""Each with its training size, where that is known."""
MOST = 6
"""Pictures on a sheet: enough to see that it is the right folder."""
SIDE, GAP = 96, 6
"""Pixels of a square, and between two."""
BACKGROUND = (21, 24, 29)


class Thumbnails(Vertical):
    """Shows nothing, and reads nothing, while there are no pictures or no place on the screen for them."""

    DEFAULT_CSS = """
    Thumbnails { height: auto; min-height: 1; max-height: 60%; }
    Thumbnails.empty { display: none; }
    Thumbnails > Static { height: 1; color: $foreground 60%; }
    """

    def __init__(self) -> None:
        super().__init__(classes="empty")
        self._wanted: Pictures = ()
        self._drawn: Pictures = ()
        self._sheet: Widget | None = None

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)

    def on_mount(self) -> None:
        self._asker = Asker(self.app, contact_sheet, self._made, lambda error: self.app.notify(str(error)))

    def show(self, pictures: Pictures) -> None:
        """Show the first of `pictures`, with what is cut off in the dark."""
        self._wanted = pictures[:MOST]
        self.set_class(not pictures, "empty")
        some = ""
        if len(pictures) > MOST:
            some = say("thumbnails.first", "The first {most} of {count:,}", most=MOST, count=len(pictures))
        self.query_one(Static).update(some)
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        try:
            is_off = protocol(os.environ) == "off"
        except UserError:
            is_off = True  # the monitor says what is wrong with it
        if self._wanted != self._drawn and self.size.area and not is_off:
            self._drawn = self._wanted
            self._asker.ask(self._wanted)

    def _made(self, pictures: Pictures, sheet: Image | None) -> None:
        if self.is_attached and pictures == self._wanted:
            self.call_later(self._put, sheet)

    async def _put(self, sheet: Image | None) -> None:
        before, self._sheet = self._sheet, None
        if before is not None:
            await before.remove()
        if sheet is not None:
            self._sheet = picture_widget(sheet, protocol(os.environ), self.app._driver)
            await self.mount(self._sheet)


def contact_sheet(pictures: Pictures) -> Image | None:
    """The pictures side by side, at most three in a row, each whole with what its training size cuts off in the dark;
    those that cannot be read are left out.
    """
    from PIL import Image, ImageOps

    from core.data.cropping import framed
    from core.data.pictures import open_rgb

    squares = []
    for path, size in pictures:
        try:
            picture = open_rgb(path)
        except UserError:  # a finding says so beside the field
            continue
        picture.thumbnail((SIDE, SIDE))
        squares.append(ImageOps.pad(framed(picture, size) if size else picture, (SIDE, SIDE), color=BACKGROUND))
    if not squares:
        return None
    columns = min(len(squares), 2 if len(squares) == 4 else 3)
    rows = -(-len(squares) // columns)
    step = SIDE + GAP
    sheet = Image.new("RGB", (columns * step - GAP, rows * step - GAP), BACKGROUND)
    for number, square in enumerate(squares):
        sheet.paste(square, (number % columns * step, number // columns * step))
    return sheet
