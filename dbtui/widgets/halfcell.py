"""A picture in half cells: each cell shows one pixel above another, in two colours.

All lines are made at once, in the thread that reads the picture, and kept: a picture has as many colours as pixels, and
to make them anew for each frame is most of what a frame costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.geometry import Size

SEEN = 128
"""From this opacity on a pixel is drawn; the ground of the terminal is seen where it is not."""


class HalfCells(Widget):
    """Shows `lines`, all as wide as the first, and is as large as they are."""

    DEFAULT_CSS = "HalfCells { width: auto; height: auto; }"

    def __init__(self, lines: list[Strip]) -> None:
        super().__init__()
        self._lines = lines

    @property
    def lines(self) -> list[Strip]:
        return self._lines

    @lines.setter
    def lines(self, lines: list[Strip]) -> None:
        self._lines = lines
        self.refresh(layout=True)

    def on_unmount(self) -> None:
        self._lines = []

    def render_line(self, y: int) -> Strip:
        style = self.visual_style.rich_style
        return self._lines[y].apply_style(style) if y < len(self._lines) else Strip.blank(self.size.width, style)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return self._lines[0].cell_length if self._lines else 0

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)


def half_cells(picture: Image, columns: int, lines: int, cell: tuple[int, int]) -> list[Strip]:
    """`picture` in its own proportions, as large as a place of so many cells allows; a `cell` is so many pixels wide
    and high. Any thread may call it.
    """
    cells = picture.width * cell[1], picture.height * cell[0]  # its size in cells, but for the scale
    scale = min(columns / cells[0], lines / cells[1])
    width, height = (max(1, round(count * scale)) for count in cells)
    told = picture.convert("RGBA").resize((width, 2 * height)).tobytes()
    pixels = [told[start : start + 4] for start in range(0, len(told), 4)]
    return [
        Strip(map(_cell, pixels[start : start + width], pixels[start + width : start + 2 * width]), width)
        for start in range(0, len(pixels), 2 * width)
    ]


def _cell(upper: bytes, lower: bytes) -> Segment:
    if upper[3] >= SEEN:
        return Segment("▀", Style(color=_color(upper), bgcolor=_color(lower) if lower[3] >= SEEN else None))
    return Segment("▄", Style(color=_color(lower))) if lower[3] >= SEEN else Segment(" ")


def _color(pixel: bytes) -> Color:
    return Color.from_rgb(*pixel[:3])
