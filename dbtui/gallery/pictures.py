"""Reads previews in a thread and remembers the small ones: moving through the gallery reads nothing twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from dbtui.monitor.sheets import load_preview

if TYPE_CHECKING:
    from PIL.Image import Image

    from dbtui.widgets.picture import Draw

MOST_BYTES = 48_000_000
"""Of pictures that are remembered."""

_kept: OrderedDict[tuple[Path, tuple[int, int]], Image] = OrderedDict()
_lock = threading.Lock()


def reader(path: Path) -> Draw:
    """What makes the preview at `path` as large as a place needs it."""

    def draw(place: tuple[int, int]) -> Image:
        key = path, place
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                return _kept[key].copy()
        picture = load_preview(path)
        picture.thumbnail(place)
        with _lock:
            _kept[key] = picture
            while len(_kept) > 1 and sum(3 * held.width * held.height for held in _kept.values()) > MOST_BYTES:
                _kept.popitem(last=False)
        return picture.copy()

    return draw
