"""What lies behind a dialog, dimmed.

Textual dims it cell by cell, all of it for each frame anew: that was most of the time that a dialog took to come.
Here each style is dimmed once, and a line that is as it was in the frame before is not dimmed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from operator import is_
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from rich.color import Color as RichColor
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.color import Color
from textual.css.styles import RulesMap
from textual.geometry import Region
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import Screen
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual

dimmed_by_textual = BackgroundScreen.process_segments


class Line(NamedTuple):
    """A line of the screen behind: `pieces` is how its compositor cut it."""

    pieces: tuple[Strip, ...]
    look: tuple[Color, Style]
    dimmed: Strip


_lines: WeakKeyDictionary[Screen[Any], list[Line]] = WeakKeyDictionary()
"""What was drawn of each screen when it last lay behind a dialog."""


def dim_line_by_line() -> None:
    """Have Textual draw what lies behind a dialog in this way; may be called more than once."""
    BackgroundScreen.visualize = lambda behind: Behind(behind.screen, behind.color)  # type: ignore[attr-defined]


class Behind(Visual):
    """`color` is laid over all of `screen`; links lead nowhere there."""

    def __init__(self, screen: Screen[Any], color: Color) -> None:
        self.screen, self.color = screen, color

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """As many lines as `height` and the screen behind both have."""
        look = self.color, style
        before = _lines.get(self.screen, [])
        height = self.screen.size.height if height is None else min(height, self.screen.size.height)
        lines: list[Line] = []
        chops = self.screen._compositor._render_chops(Region(0, 0, width, height), lambda y: y < height)
        for y, chop in enumerate(chops[:height]):
            pieces = tuple(piece for piece in chop.values() if piece is not None)
            known = before[y] if y < len(before) else None
            if known is None or known.look != look or not _are_same(known.pieces, pieces):
                dimmed = dimmed_segments((segment for piece in pieces for segment in piece), self.color)
                known = Line(pieces, look, Strip(dimmed).crop(0, width).apply_style(style.rich_style))
            lines.append(known)
        _lines[self.screen] = lines
        return [line.dimmed for line in lines]

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.screen.size.height


def _are_same(before: tuple[Strip, ...], now: tuple[Strip, ...]) -> bool:
    return len(before) == len(now) and all(map(is_, before, now))


def dimmed_segments(segments: Iterable[Segment], color: Color) -> Iterable[Segment]:
    """The same with `color` laid over each."""
    for text, style, control in segments:
        yield Segment(text, style if control else _dimmed_style(style, color), control)


@lru_cache(8192)
def _dimmed_style(style: RichStyle | None, color: Color) -> RichStyle | None:
    """As Textual does it, but six times as fast where both colours are told by their parts: a picture in half cells
    has as many styles as cells.
    """
    if style is not None and style.color is not None and style.bgcolor is not None and color.a:
        ink, ground = style.color.triplet, style.bgcolor.triplet
        if ink is not None and ground is not None and not (style.link or style.meta):
            return style + RichStyle.from_color(_under(ink, color), _under(ground, color))
    [segment] = dimmed_by_textual([Segment(" ", style)], color)
    return segment.style


def _under(shade: ColorTriplet, color: Color) -> RichColor:
    return RichColor.from_rgb(
        *(int(below + (above - below) * color.a) for below, above in zip(shade, color.rgb, strict=True))
    )
