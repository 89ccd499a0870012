"""Textual 8.2.8 remembers what it drew of the last thousand widgets, long after they have gone: hundreds of thousands
of objects in an app that stays open, which the collector of garbage walks through while no key is answered.
"""

from __future__ import annotations

from functools import lru_cache

from textual._styles_cache import StylesCache
from textual.color import Color
from textual.style import Style


def forget_widgets_that_are_gone() -> None:
    """Have `StylesCache.get_inner_outer` remember colours alone; its own memory has the widget's drawing as a key."""
    StylesCache.get_inner_outer = _inner_outer  # type: ignore[method-assign, assignment]


def _inner_outer(cache: StylesCache, base: Color, background: Color) -> tuple[Style, Style]:
    return _of_colours(base, background)


@lru_cache(1024)
def _of_colours(base: Color, background: Color) -> tuple[Style, Style]:
    return Style(background=base + background), Style(background=base)
