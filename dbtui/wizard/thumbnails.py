"""The pictures of a subject as one small sheet, drawn where there is room, made in a thread."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.data.sizes import Size
from core.texts import UserError, say
from dbtui.widgets.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

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
    Thumbnails > .how-many { height: 1; color: $foreground 60%; }
    Thumbnails > Picture { align: left top; }
    """

    def __init__(self) -> None:
        super().__init__(classes="empty")
        self._count = 0
        self._sheet: tuple[Pictures, Image | None] | None = None
        self._making = threading.Lock()

    def compose(self) -> ComposeResult:
        yield Static("", classes="how-many", markup=False)
        yield Picture()

    def show(self, pictures: Pictures) -> None:
        """Show the first of `pictures`, with what is cut off in the dark."""
        wanted = pictures[:MOST]
        self.set_class(not wanted, "empty")
        some = ""
        if len(pictures) > MOST:
            some = say("thumbnails.first", "The first {most} of {count:,}", most=MOST, count=len(pictures))
        self.query_one(".how-many", Static).update(some)
        self._count = len(wanted)
        self._make_room()
        picture = self.query_one(Picture)
        if wanted:
            picture.show(wanted, lambda place: self._made(wanted), str(wanted[0][0].parent))
        else:
            picture.clear()

    def _made(self, wanted: Pictures) -> Image | None:
        """The sheet, read once however often it is drawn anew. In any thread."""
        with self._making:
            if self._sheet is None or self._sheet[0] != wanted:
                self._sheet = wanted, contact_sheet(wanted)
            sheet = self._sheet[1]
        return sheet.copy() if sheet is not None else None

    def on_resize(self) -> None:
        self._make_room()

    def _make_room(self) -> None:
        """As many lines as the sheet has at this width; a cell is twice as high as wide."""
        columns, rows = grid(self._count)
        width, height = (number * (SIDE + GAP) - GAP for number in (columns, rows))
        if columns:
            self.query_one(Picture).styles.height = max(1, round(self.size.width * height / width / 2))


def grid(count: int) -> tuple[int, int]:
    """Columns and rows of a sheet with so many pictures: at most three in a row."""
    columns = min(count, 2 if count == 4 else 3)
    return columns, -(-count // columns) if columns else 0


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
    columns, rows = grid(len(squares))
    step = SIDE + GAP
    sheet = Image.new("RGB", (columns * step - GAP, rows * step - GAP), BACKGROUND)
    for number, square in enumerate(squares):
        sheet.paste(square, (number % columns * step, number // columns * step))
    return sheet
