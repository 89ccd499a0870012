"""Pictures that show nearly the same: difference hashes (D. Looks, "Kind of like that", 2013) and their colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from PIL import Image

SIDE = 8
MOST_BITS = 12
"""Of the 128 that may differ between two that show the same: two frames of a burst, one saved anew or made smaller."""
MOST_COLOUR = 20
"""By which the mean of red, green or blue may differ, of 255."""
MOST_COMPARED = 1000
"""Pictures; beyond that nobody reads which are alike."""


@dataclass(frozen=True)
class Likeness:
    """`bits`: whether each place of a small grey copy is brighter than the one to its right, and the one below it."""

    bits: int
    colour: tuple[int, int, int]

    def is_near(self, other: Likeness) -> bool:
        near_colour = all(abs(a - b) <= MOST_COLOUR for a, b in zip(self.colour, other.colour, strict=True))
        return near_colour and (self.bits ^ other.bits).bit_count() <= MOST_BITS


def likeness(image: Image.Image) -> Likeness:
    """Of an RGB picture."""
    small = image.resize((SIDE + 1, SIDE + 1), Image.Resampling.BOX)
    grey = small.convert("L").tobytes()
    bits = 0
    for row in range(SIDE):
        for column in range(SIDE):
            place = row * (SIDE + 1) + column
            bits = bits << 2 | (grey[place] > grey[place + 1]) << 1 | (grey[place] > grey[place + SIDE + 1])
    red, green, blue = small.resize((1, 1), Image.Resampling.BOX).tobytes()
    return Likeness(bits, (red, green, blue))


def alike(found: Sequence[tuple[Path, Likeness]]) -> tuple[tuple[Path, Path], ...]:
    """Every pair that is near, in the order given; of the first `MOST_COMPARED`."""
    return tuple((one, other) for (one, mine), (other, its) in combinations(found[:MOST_COMPARED], 2)
                 if mine.is_near(its))  # fmt: skip
