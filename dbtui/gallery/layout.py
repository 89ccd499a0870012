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
    """For a grid of `rows` × `columns` in a place of `width` × `height` cells: as many rows as let the pictures cover
    most of it, none of them too small to tell something.
    """
    width, height, rows, columns = max(1, width), max(1, height), max(1, rows), max(1, columns)
    found = [_with_rows(below, width, height, columns) for below in range(1, rows + 1)]
    worth = [one for one in found if one.width >= SMALLEST[0] and one.height >= SMALLEST[1]]
    return max(worth or found[:1], key=lambda one: one.columns * one.rows * one.width * one.height)


def _with_rows(below: int, width: int, height: int, columns: int) -> Layout:
    """So many rows, with pictures as large as that allows."""
    widest = 2 * max(1, height // below - WORDS)
    across = min(columns, max(min(SIDE_BY_SIDE, width // (SMALLEST[0] + GAP)), width // (widest + GAP), 1))
    wide = max(1, min(widest, width // across - GAP))
    return Layout(across, below, wide, max(1, wide // 2))


def window(cursor: int, first: int, seen: int, count: int) -> int:
    """The first of `seen` places that are shown of `count`, moved from `first` no further than `cursor` needs."""
    first = min(max(first, cursor - seen + 1), cursor)
    return max(0, min(first, count - seen))
