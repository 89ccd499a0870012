"""How many pictures fit, and how large: plain arithmetic over cells, which are twice as high as wide."""

from __future__ import annotations

from dataclasses import dataclass

NARROWEST = 26
"""Columns of a place in which a picture still tells something, with the gap beside it."""
GAP, WORDS = 2, 2
"""Columns between two pictures; lines over and under each for its prompt and its step."""
SIDE_BY_SIDE = 3
"""Larger pictures are no gain where fewer than so many steps are seen at once."""


@dataclass(frozen=True)
class Layout:
    """So many places beside and below each other, each with a picture of `width` × `height` cells."""

    columns: int
    rows: int
    width: int
    height: int


def layout(width: int, height: int, rows: int, columns: int) -> Layout:
    """For a grid of `rows` × `columns` in a place of `width` × `height` cells: few large pictures rather than many
    small ones; where the grid is small, larger ones.
    """
    width, height, rows, columns = max(1, width), max(1, height), max(1, rows), max(1, columns)
    across = min(columns, max(1, width // NARROWEST))
    high = _height(width, height, across)
    below = min(rows, max(1, height // (high + WORDS)))
    widest = 2 * max(1, height // below - WORDS)
    across = min(columns, max(min(across, SIDE_BY_SIDE), min(across, width // (widest + GAP))))
    high = min(_height(width, height, across), widest // 2)
    return Layout(across, below, max(1, min(widest, width // across - GAP)), high)


def _height(width: int, height: int, across: int) -> int:
    return max(1, min((width // across - GAP) // 2, height - WORDS))


def window(cursor: int, first: int, seen: int, count: int) -> int:
    """The first of `seen` places that are shown of `count`, moved from `first` no further than `cursor` needs."""
    first = min(max(first, cursor - seen + 1), cursor)
    return max(0, min(first, count - seen))
