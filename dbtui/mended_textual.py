"""What is mended in Textual 8.2.8, from outside, before the first screen.

It remembers what it drew of the last thousand widgets, long after they have gone: hundreds of thousands of objects in
an app that stays open, which the collector of garbage walks through while no key is answered. And it dims what lies
behind a dialog for each frame anew (`dbtui.dimmed`). And a character of two cells is lost wherever the edge of a widget
that a notice lies over runs through it. And a screen that is closed once more, by a second Enter in the same moment,
closes the one below it, or ends the program. And a list whose lines are not measured yet ends the program where a page
of them is to be turned. And a screen that is made anew while a dialog over it closes gives the focus to what is about
to go, and with it every key from then on. And the lines of a screen that has gone are kept until a full pass of the
collector of garbage finds them: half a million objects in half a minute, and no key was answered for 0.4 to 1 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from rich.cells import get_character_cell_size
from textual import events
from textual._compositor import Compositor
from textual._styles_cache import StylesCache
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.color import Color
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget
from textual.widgets import OptionList

from dbtui.dimmed import dim_line_by_line

_dismissed_by_textual = Screen.dismiss
_told_by_textual = App.on_event
_moved_by_textual = OptionList._move_page
_unmounted_by_textual = Widget._on_unmount


def mend_textual() -> None:
    """May be called more than once."""
    StylesCache.get_inner_outer = _inner_outer  # type: ignore[method-assign, assignment]
    Compositor._render_chops = _chops  # type: ignore[method-assign, assignment]
    dim_line_by_line()
    App.on_event = _on_event  # type: ignore[method-assign]
    Screen.dismiss = _dismiss  # type: ignore[method-assign, assignment]
    OptionList._move_page = _move_page  # type: ignore[method-assign, assignment]
    Widget._on_unmount = _on_unmount  # type: ignore[method-assign]


def _inner_outer(cache: StylesCache, base: Color, background: Color) -> tuple[Style, Style]:
    """Textual's own remembers the widget with the colours."""
    return _of_colours(base, background)


@lru_cache(1024)
def _of_colours(base: Color, background: Color) -> tuple[Style, Style]:
    return Style(background=base + background), Style(background=base)


async def _on_event(app: App[Any], event: events.Event) -> None:
    """A key is for nothing that is gone."""
    if isinstance(event, events.Key) and app.focused is not None and not app.focused.is_attached:
        app.screen.set_focus(None)
    await _told_by_textual(app, event)


def _dismiss(screen: Screen[Any], result: Any = None) -> AwaitComplete:
    """Only where it lies on top."""
    if screen.app.screen_stack[-1:] != [screen]:
        return AwaitComplete()
    return _dismissed_by_textual(screen, result)


def _move_page(listing: OptionList, direction: Literal[-1, 1]) -> None:
    """Where its lines can be measured."""
    listing._update_lines()
    if (listing.highlighted or 0) in listing._index_to_line:
        _moved_by_textual(listing, direction)


def _on_unmount(widget: Widget) -> None:
    """What was drawn goes with it."""
    _unmounted_by_textual(widget)
    widget._styles_cache.clear()
    widget._render_cache = widget._render_cache._replace(lines=[])


def _chops(
    compositor: Compositor, crop: Region, is_rendered_line: Callable[[int], bool]
) -> Sequence[Mapping[int, Strip | None]]:
    """The pieces of each line between the edges of all widgets, from those on top: as Textual does it, but where an
    edge runs through a character of what is on top, both pieces stand at the place of the first.
    """
    cuts = compositor.cuts
    chops: list[dict[int, Strip | None]] = [dict.fromkeys(line[:-1]) for line in cuts]
    for region, clip, strips in compositor._get_renders(crop):
        shown = region.intersection(clip)
        first, last = shown.column_span
        for y, strip in zip(shown.line_range, strips, strict=False):
            if not is_rendered_line(y):
                continue
            places = [cut for cut in cuts[y] if first <= cut <= last]
            ends = [cut - shown.x for cut in places[1:]]
            has_wide = strip.cell_length != len(strip.text)
            begins: int | None = None
            pieces = [strip] if ends == [strip.cell_length] else strip.divide(ends)  # which would keep itself for ever
            for cut, end, piece in zip(places, ends, pieces, strict=False):
                if chops[y].get(cut) is not None:
                    begins = None
                elif has_wide and begins is not None and _is_within(strip.text, cut - shown.x):
                    chops[y][begins] = strip.crop(begins - shown.x, end)
                    chops[y][cut] = _NOTHING
                else:
                    chops[y][cut] = piece
                    begins = cut
    return chops


_NOTHING = Strip([], 0)


@lru_cache(4096)
def _is_within(text: str, cell: int) -> bool:
    """Whether a character of `text` stands in the cell before `cell` and in that one, too."""
    place = 0
    for character in text:
        if place >= cell:
            break
        place += get_character_cell_size(character)
    return place > cell
