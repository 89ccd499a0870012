"""What is mended in Textual 8.2.8, from outside, before the first screen.

It remembers what it drew of the last thousand widgets, long after they have gone: hundreds of thousands of objects in
an app that stays open, which the collector of garbage walks through while no key is answered. And it dims what lies
behind a dialog cell by cell, for each frame anew: that was most of the time that F1 took.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual._styles_cache import StylesCache
from textual.color import Color
from textual.renderables.background_screen import BackgroundScreen
from textual.style import Style

_dimmed_by_textual = BackgroundScreen.process_segments


def mend_textual() -> None:
    """May be called more than once."""
    StylesCache.get_inner_outer = _inner_outer  # type: ignore[method-assign, assignment]
    BackgroundScreen.process_segments = staticmethod(_dimmed)  # type: ignore[method-assign, assignment]


def _inner_outer(cache: StylesCache, base: Color, background: Color) -> tuple[Style, Style]:
    """Textual's own remembers the widget with the colours."""
    return _of_colours(base, background)


@lru_cache(1024)
def _of_colours(base: Color, background: Color) -> tuple[Style, Style]:
    return Style(background=base + background), Style(background=base)


def _dimmed(segments: Iterable[Segment], color: Color) -> Iterable[Segment]:
    """The same with another colour laid over each."""
    for text, style, control in segments:
        yield Segment(text, style if control else _dimmed_style(style, color), control)


@lru_cache(8192)
def _dimmed_style(style: RichStyle | None, color: Color) -> RichStyle | None:
    [segment] = _dimmed_by_textual([Segment(" ", style)], color)
    return segment.style
