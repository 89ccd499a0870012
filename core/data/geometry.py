"""How a picture became a training picture: its own size, what of it was cut out, and the size it was brought to.

SDXL is told these six numbers with every picture (Podell et al. 2023, §2.2), so that it neither draws cut-off heads
nor needs all pictures to be large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

Numbers = tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Geometry:
    """All in px. `top` and `left` are of the cut in the picture after it was resized; `height` and `width` are those
    of the cut, which is what the model sees.
    """

    original_height: int
    original_width: int
    top: int
    left: int
    height: int
    width: int

    @property
    def numbers(self) -> Numbers:
        """In the order of SDXL's time ids, which is that of the fields."""
        original_height, original_width, top, left, height, width = astuple(self)
        return original_height, original_width, top, left, height, width


def centre_crop(width: int, height: int, side: int) -> Geometry:
    """Of the largest square in the middle of a picture, resized to `side` px (see `pictures.centre_square`)."""
    edge = min(width, height)
    top, left = ((length - edge) // 2 for length in (height, width))
    return Geometry(height, width, round(top * side / edge), round(left * side / edge), side, side)


def whole(width: int, height: int) -> Geometry:
    """Of a picture that is made at its size and cut nowhere: previews and class pictures while they are drawn."""
    return Geometry(height, width, 0, 0, height, width)


def rows(geometries: Sequence[Geometry]) -> list[Numbers]:
    """The numbers of several, one row each."""
    return [geometry.numbers for geometry in geometries]
