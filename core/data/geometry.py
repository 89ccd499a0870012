"""How a picture became a training picture: its own size, what of it was cut out, and the size it was brought to.

SDXL is told these six numbers with every picture (Podell et al. 2023, §2.2), so that it neither draws cut-off heads
nor needs all pictures to be large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from core.data.sizes import Size

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


def centre_box(width: int, height: int, size: Size) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the largest part in the middle of a picture that has the shape of `size`."""
    if width * size.height > height * size.width:
        across, down = max(1, round(height * size.width / size.height)), height
    else:
        across, down = width, max(1, round(width * size.height / size.width))
    left, top = (width - across) // 2, (height - down) // 2
    return left, top, left + across, top + down


def covering(width: int, height: int, size: Size) -> tuple[int, int]:
    """Width and height of a picture resized until it just covers `size`."""
    scale = max(size.width / width, size.height / height)
    return max(size.width, round(width * scale)), max(size.height, round(height * scale))


def centre_crop(width: int, height: int, size: Size, *, mirrored: bool = False) -> Geometry:
    """Of the largest part in the middle of a picture, resized to `size` (see `pictures.centre_cut`). Of a mirrored one
    what was cut off at the right counts as left.
    """
    left, top, right, bottom = centre_box(width, height, size)
    cut = width - right if mirrored else left
    return Geometry(height, width, round(top * size.height / (bottom - top)), round(cut * size.width / (right - left)),
                    size.height, size.width)  # fmt: skip


def random_crop(width: int, height: int, size: Size, place: float, *, mirrored: bool = False) -> Geometry:
    """Of a cut at `place` (see `pictures.random_cut`)."""
    across, down = covering(width, height, size)
    left, top = round(place * (across - size.width)), round(place * (down - size.height))
    left = across - size.width - left if mirrored else left
    return Geometry(height, width, top, left, size.height, size.width)


def whole(width: int, height: int) -> Geometry:
    """Of a picture that is made at its size and cut nowhere: previews and class pictures while they are drawn."""
    return Geometry(height, width, 0, 0, height, width)


def rows(geometries: Sequence[Geometry]) -> list[Numbers]:
    """The numbers of several, one row each."""
    return [geometry.numbers for geometry in geometries]
