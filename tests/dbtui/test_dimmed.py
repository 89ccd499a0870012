"""What lies behind a dialog is dimmed as Textual dims it, and only what has changed."""

from __future__ import annotations

import pytest
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.color import Color
from textual.containers import Horizontal
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen
from textual.widgets import Static

from dbtui import dimmed
from dbtui.dimmed import dim_line_by_line, dimmed_by_textual, dimmed_segments

SEGMENTS = [
    Segment("a", Style(color="#ff0000", bgcolor="#102030", bold=True)),
    Segment("b", Style(color="red", link="https://example.org", meta={"@click": "x"})),
    Segment("c", Style()),
    Segment("d", None),
    Segment("e", Style(bgcolor="default", dim=True)),
    Segment("f", Style(color="#ff0000", bgcolor="#102030", bold=True)),
    Segment("g", Style(color="#0369cf", bgcolor="#fedcba", reverse=True)),
    Segment("h", Style(color="#0369cf", bgcolor="#fedcba", link="https://example.org")),
    Segment("", None, [(ControlType.BELL,)]),
]


@pytest.mark.parametrize("color", [Color(10, 20, 30, 0.6), Color(0, 0, 0, 0), Color(255, 255, 255, 0.5)])
def test_each_segment_is_dimmed_as_textual_dims_it(color: Color) -> None:
    for _ in range(2):
        assert list(dimmed_segments(SEGMENTS, color)) == list(dimmed_by_textual(SEGMENTS, color))


class Dialog(ModalScreen[None]):
    CSS = "Dialog { align: center middle; background: $background 60%; } #dialog { width: 20; height: 3; }"

    def compose(self) -> ComposeResult:
        yield Static("[b]above[/b]", id="dialog")


class Below(App[None]):
    CSS = "Horizontal Static { width: 1fr; border: round red; } #late { color: yellow; }"

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("[link='https://example.org']left[/link]\n" + "狗" * 30)
            yield Static("right", id="late")


async def drawn(monkeypatch: pytest.MonkeyPatch, ours: bool, size: tuple[int, int]) -> list[str]:
    """The screens: with the dialog, after something behind it has changed, with two dialogs, at another size."""
    app, screens = Below(), []
    if ours:
        dim_line_by_line()
    else:
        monkeypatch.delattr(BackgroundScreen, "visualize", raising=False)
    async with app.run_test(size=size) as pilot:
        app.push_screen(Dialog())
        await pilot.pause()
        screens.append(app.export_screenshot(title="one"))
        app.screen_stack[0].query_one("#late", Static).update("later")
        await pilot.pause()
        screens.append(app.export_screenshot(title="two"))
        app.push_screen(Dialog())
        await pilot.pause()
        screens.append(app.export_screenshot(title="three"))
        await pilot.resize_terminal(size[0] - 9, size[1] + 3)
        await pilot.pause()
        screens.append(app.export_screenshot(title="four"))
    return screens


@pytest.mark.parametrize("size", [(60, 14), (33, 9)])
async def test_what_lies_behind_a_dialog_looks_as_textual_draws_it(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    ours = await drawn(monkeypatch, True, size)
    assert ours[0] != ours[1] and await drawn(monkeypatch, False, size) == ours


async def test_a_line_that_has_not_changed_is_not_dimmed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(segments: object, color: Color) -> list[Segment]:
        lines = list(segments)  # type: ignore[call-overload]
        asked.append("".join(segment.text for segment in lines))
        return list(dimmed_segments(lines, color))

    dim_line_by_line()
    monkeypatch.setattr(dimmed, "dimmed_segments", counted)
    app = Below()
    async with app.run_test(size=(60, 14)) as pilot:
        app.push_screen(Dialog())
        await pilot.pause()
        assert len(asked) >= 14
        asked.clear()
        app.screen.query_one("#dialog", Static).update("other")
        await pilot.pause()
        assert not asked
        app.screen_stack[0].query_one("#late", Static).update("later", layout=False)
        await pilot.pause()
        assert "later" in "".join(asked) and len(asked) == 3  # the lines of that text and its border
