"""Which size a training picture has: one square for all, or the nearest of a set of aspect-ratio buckets.

Buckets as in NovelAI's improvements on Stable Diffusion (2022): sides on the networks' grid, no more pixels than the
square of the resolution, so that no batch needs more memory than a square one would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

GRID = 8
"""The U-Net halves its input up to three times: the latents' sides must divide by 8."""
LONGEST_SIDE = 2
"""Times the resolution; the shortest side is half of it, and what is longer or thinner is cut to that."""


@dataclass(frozen=True, order=True)
class Size:
    """Height and width of a training picture, in px."""

    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def words(self) -> str:
        """As people say it: width first."""
        return f"{self.width} × {self.height}"


def square(side: int) -> Size:
    """The size of every picture where there are no buckets."""
    return Size(side, side)


def grid(latent_factor: int) -> int:
    """What both sides of a training picture are multiples of, in px, for a VAE that reduces by `latent_factor`."""
    return GRID * latent_factor


@cache
def bucket_sizes(resolution: int, step: int) -> tuple[Size, ...]:
    """Every bucket for `resolution` px, sides multiples of `step` px: for each width the largest height that keeps to
    `resolution`² pixels, and the same the other way round. The square is always one of them.
    """
    sizes = {square(resolution)}
    shortest, longest = max(step, resolution // 2), resolution * LONGEST_SIDE
    for width in range(step, longest + 1, step):
        height = resolution * resolution // width // step * step
        if shortest <= width and shortest <= height <= longest:
            sizes |= {Size(height, width), Size(width, height)}
    return tuple(sorted(sizes))


def nearest(sizes: tuple[Size, ...], width: int, height: int) -> Size:
    """The size whose aspect ratio is nearest to that of a picture of `width` × `height` px; of several the largest."""
    aspect = math.log(width / height)
    return min(sizes, key=lambda size: (round(abs(math.log(size.width / size.height) - aspect), 9), -size.pixels, size))


def size_of(width: int, height: int, resolution: int, step: int, *, buckets: bool) -> Size:
    """The size that a picture of `width` × `height` px is trained at."""
    return nearest(bucket_sizes(resolution, step), width, height) if buckets else square(resolution)
