"""What is mended in Textual looks as before."""

from __future__ import annotations

import pytest
from rich.segment import ControlType, Segment
from rich.style import Style
from textual._styles_cache import StylesCache
from textual.color import Color
from textual.renderables.background_screen import BackgroundScreen

from dbtui.mended_textual import _dimmed_by_textual, mend_textual

SEGMENTS = [
    Segment("a", Style(color="#ff0000", bgcolor="#102030", bold=True)),
    Segment("b", Style(color="red", link="https://example.org", meta={"@click": "x"})),
    Segment("c", Style()),
    Segment("d", None),
    Segment("e", Style(bgcolor="default", dim=True)),
    Segment("f", Style(color="#ff0000", bgcolor="#102030", bold=True)),
    Segment("", None, [(ControlType.BELL,)]),
]


@pytest.mark.parametrize("color", [Color(10, 20, 30, 0.6), Color(0, 0, 0, 0), Color(255, 255, 255, 0.5)])
def test_what_lies_behind_a_dialog_is_dimmed_as_textual_dims_it(color: Color) -> None:
    mend_textual()
    assert BackgroundScreen.process_segments is not _dimmed_by_textual
    for _ in range(2):
        assert list(BackgroundScreen.process_segments(SEGMENTS, color)) == list(_dimmed_by_textual(SEGMENTS, color))


def test_the_colours_of_a_widget_do_not_keep_it() -> None:
    mend_textual()
    cache, colours = StylesCache(), (Color(1, 2, 3), Color(200, 100, 0, 0.5))
    inner, outer = cache.get_inner_outer(*colours)
    assert inner.background == colours[0] + colours[1] and outer.background == colours[0]
    assert StylesCache().get_inner_outer(*colours)[0] is inner
