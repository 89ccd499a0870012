"""What is mended in Textual looks as before."""

from __future__ import annotations

import gc

import pytest
from rich.cells import cell_len
from textual._styles_cache import StylesCache
from textual.app import App, ComposeResult
from textual.color import Color
from textual.containers import Horizontal
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from dbtui.mended_textual import _is_within, mend_textual


def test_the_colours_of_a_widget_do_not_keep_it() -> None:
    mend_textual()
    cache, colours = StylesCache(), (Color(1, 2, 3), Color(200, 100, 0, 0.5))
    inner, outer = cache.get_inner_outer(*colours)
    assert inner.background == colours[0] + colours[1] and outer.background == colours[0]
    assert StylesCache().get_inner_outer(*colours)[0] is inner


class Below(App[None]):
    """Columns with edges at every width, and a text over them."""

    CSS = """
    Screen { layers: below above; }
    Horizontal { layer: below; } Horizontal Static { border: solid red; height: 9; }
    #above { layer: above; offset: 3 2; width: 44; }
    """

    def __init__(self, text: str, widths: list[int]) -> None:
        super().__init__()
        self.text, self.widths = text, widths

    def compose(self) -> ComposeResult:
        with Horizontal():
            for number, width in enumerate(self.widths):
                below = Static("下面的文字" * 9, id=f"below-{number}")
                below.styles.width = width
                yield below
        yield Static(self.text, id="above")


@pytest.mark.parametrize(
    "text",
    ["所有值都是程序默认的：没有可保存的内容。", "a所有值都是b程序默认的：没有可保存的", "english only, no wide ones"],
)
@pytest.mark.parametrize("widths", [[12, 13, 14, 15], [11, 12, 11, 12, 11], [5, 5, 6, 4, 7, 5, 9], [60]])
async def test_no_character_is_lost_over_the_edges_of_what_lies_below(text: str, widths: list[int]) -> None:
    mend_textual()
    app = Below(text, widths)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        lines = app.screen._compositor.render_strips()
        assert any(text in line.text for line in lines)
        assert {line.cell_length for line in lines} == {60} == {sum(map(cell_len, line.text)) for line in lines}
        for below in app.query("Horizontal Static"):
            await painted_in_part(app, below)


async def painted_in_part(app: App[None], below: Widget) -> None:
    """What is painted anew of `below` leaves the screen as a whole painting would."""
    compositor = app.screen._compositor
    cells = [row_of(line.text) for line in compositor.render_strips()]
    below.refresh()
    compositor.update_widgets({below})
    update = compositor.render_update()
    assert update is not None
    x = y = 0
    for segment in update.__rich_console__(app.console, app.console.options):  # type: ignore[attr-defined]
        if segment.control:
            _, x, y = segment.control[0]  # type: ignore[misc]
        elif segment.text != "\n":
            new = row_of(segment.text)
            cells[y][x : x + len(new)] = new
            x += len(new)
    assert cells == [row_of(line.text) for line in compositor.render_strips()]


def row_of(text: str) -> list[str]:
    """One entry a cell."""
    return [cell for character in text for cell in [character, *[""] * (cell_len(character) - 1)]]


@pytest.mark.parametrize("text", ["abc", "a字b", "字字"])
def test_an_edge_runs_through_a_character_where_half_of_it_lies_on_each_side(text: str) -> None:
    places, place = set(), 0
    for character in text:
        place += cell_len(character)
        places.add(place)
    assert {cell for cell in range(1, place) if _is_within(text, cell)} == set(range(1, place)) - places


@pytest.mark.parametrize("is_seen", [True, False])
async def test_a_page_of_a_list_that_was_filled_this_moment_can_be_turned(is_seen: bool) -> None:
    mend_textual()
    app: App[None] = App()
    async with app.run_test(size=(40, 6)) as pilot:
        listing = OptionList(compact=True)
        listing.styles.height = 4
        await app.mount(listing)
        listing.display = is_seen
        await pilot.pause()
        listing.add_options(["one", "two", "three"])
        listing.highlighted = 1
        listing.action_page_down()
        assert listing.highlighted == (2 if is_seen else 1)


async def test_a_key_is_for_nothing_that_is_gone() -> None:
    class Keys(App[None]):
        BINDINGS = [("x", "exit", "Exit")]

        def compose(self) -> ComposeResult:
            yield Input()

        def action_exit(self) -> None:
            self.exit(None)

    mend_textual()
    app = Keys()
    async with app.run_test() as pilot:
        gone = app.query_one(Input)
        await gone.remove()
        app.screen.set_reactive(Screen.focused, gone)
        await pilot.press("x")
        assert app.screen.focused is None and app._exit


class Much(Screen[None]):
    def compose(self) -> ComposeResult:
        yield Static("\n".join(f"line {number}" for number in range(20)))
        yield OptionList(*map(str, range(9)))


async def test_the_lines_of_a_screen_go_with_it_and_not_when_the_collector_of_garbage_comes() -> None:
    mend_textual()
    app = App[None]()
    async with app.run_test(size=(60, 40)) as pilot:

        def lines() -> int:
            return sum(isinstance(one, Strip) for one in gc.get_objects())

        async def there_and_back() -> None:
            await app.push_screen(Much())
            await pilot.pause()
            app.pop_screen()
            await pilot.pause()

        await there_and_back()
        gc.collect()
        gc.disable()
        try:
            before = lines()
            for _ in range(5):
                await there_and_back()
            assert lines() - before < 5 * 35
        finally:
            gc.enable()
