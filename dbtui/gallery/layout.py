"""How many pictures fit, and how large: plain arithmetic over cells, which are twice as high as wide."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST = (24, 12)
"""Columns and lines of a picture that still tells something."""
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
    """For a grid of `rows` × `columns` in a place of `width` × `height` cells: as many pictures as cover most of it,
    none of them too small to tell something.
    """
    width, height, rows, columns = max(1, width), max(1, height), max(1, rows), max(1, columns)
    fewest = max(1, min(SIDE_BY_SIDE, columns, width // (SMALLEST[0] + GAP)))
    found = [
        _with(across, below, width, height)
        for below in range(1, min(rows, height) + 1)
        for across in range(fewest, max(fewest, min(columns, width // (SMALLEST[0] + GAP))) + 1)
    ]
    worth = [one for one in found if one.width >= SMALLEST[0] and one.height >= SMALLEST[1]]
    return max(worth or found[:1], key=lambda one: (one.columns * one.rows * one.width * one.height, one.width))


def _with(across: int, below: int, width: int, height: int) -> Layout:
    """So many pictures, as large as that allows."""
    wide = max(1, min(2 * (height // below - WORDS), width // across - GAP))
    return Layout(across, below, wide, max(1, wide // 2))


def window(cursor: int, first: int, seen: int, count: int) -> int:
    """The first of `seen` places that are shown of `count`, moved from `first` no further than `cursor` needs."""
    first = min(max(first, cursor - seen + 1), cursor)
    return max(0, min(first, count - seen))
