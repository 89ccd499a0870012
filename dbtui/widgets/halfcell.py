"""Half cells that leave the ground of the terminal where a picture has none. Needs textual-image: see `prepare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual_image.renderable.halfcell import Image as HalfCells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image
    from rich.console import Console, ConsoleOptions

SEEN = 128
"""From this opacity on a pixel is drawn."""


class SeeThrough(HalfCells):
    """A picture with transparent places, two pixels in each cell."""

    def __init__(self, image: Image, width: int | str | None = None, height: int | str | None = None) -> None:
        super().__init__(image, width, height)
        self._image = image.convert("RGBA")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from textual_image._terminal import get_cell_size

        width, lines = self._render_size.get_cell_size(options.max_width, options.max_height, get_cell_size())
        picture = self._image.resize((width, 2 * lines))
        told = picture.tobytes()
        pixels = [tuple(told[start : start + 4]) for start in range(0, len(told), 4)]
        rows = [pixels[start : start + width] for start in range(0, len(pixels), width)]
        for upper, lower in zip(rows[::2], rows[1::2], strict=True):
            yield from (_cell(*cell) for cell in zip(upper, lower, strict=True))
            yield Segment("\n")


def _cell(upper: tuple[int, ...], lower: tuple[int, ...]) -> Segment:
    above, below = (f"rgb({pixel[0]},{pixel[1]},{pixel[2]})" if pixel[3] >= SEEN else None for pixel in (upper, lower))
    if above is None and below is None:
        return Segment(" ")
    if above is None:
        return Segment("▄", Style(color=below))
    return Segment("▀", Style(color=above, bgcolor=below))
