"""What a path with a typing error may have been meant for: the nearest name that is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

MOST = 5000
"""Entries of a folder that are compared, each in microseconds."""


def nearest(path: Path, fits: Callable[[Path], bool] = Path.is_dir) -> Path | None:
    """The path that is there and `fits`, each part of it that of `path` or the one beside it with the nearest name; or
    `None`. It reads folders.
    """
    found = Path(path.anchor)
    parts = path.parts[bool(path.anchor) :]
    try:
        for number, part in enumerate(parts, 1):
            if part == ".." or os.path.lexists(found / part):
                found /= part
            else:
                found = _beside(found, part, fits if number == len(parts) else Path.is_dir)
        return found if found != path and fits(found) else None
    except (OSError, LookupError):  # a folder that cannot be read, or holds nothing alike
        return None


def _beside(folder: Path, name: str, fits: Callable[[Path], bool]) -> Path:
    """The entry of `folder` whose name is nearest to `name`, of those that fit and can be typed. `LookupError`."""
    with os.scandir(folder) as entries:
        known = {entry.name.lower(): entry.name for entry in islice(entries, MOST) if entry.name.isprintable()}
    near = (folder / known[found] for found in get_close_matches(name.lower(), known))
    for path in filter(fits, near):
        return path
    raise LookupError(name)
