"""Pictures in half cells: which pixel is where, how large they become, and what remains of them."""

from __future__ import annotations

import pytest
from PIL import Image
from textual.app import App, ComposeResult
from textual.strip import Strip

from dbtui.widgets.halfcell import HalfCells, half_cells

SQUARE = 10, 20
"""A cell whose halves are squares."""


def colours(lines: list[Strip]) -> list[list[tuple[str, object, object]]]:
    def of(color: object) -> object:
        return tuple(color.triplet) if color is not None else None  # type: ignore[attr-defined]

    return [
        [(text, of(style and style.color), of(style and style.bgcolor)) for text, style, _ in line] for line in lines
    ]


def test_each_cell_shows_one_pixel_above_another() -> None:
    picture = Image.new("RGBA", (2, 4))
    red, green, blue, seen = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (9, 9, 9, 200)
    for place, pixel in {(0, 0): red, (1, 0): green, (0, 1): blue, (1, 2): seen, (0, 3): seen}.items():
        picture.putpixel(place, pixel)
    assert colours(half_cells(picture, 2, 2, SQUARE)) == [
        [("▀", (255, 0, 0), (0, 0, 255)), ("▀", (0, 255, 0), None)],
        [("▄", (9, 9, 9), None), ("▀", (9, 9, 9), None)],
    ]
    picture.putpixel((1, 0), (0, 255, 0, 100))
    assert colours(half_cells(picture, 2, 2, SQUARE))[0][1] == (" ", None, None), "the ground is seen there"


@pytest.mark.parametrize(
    ("size", "place", "cell", "becomes"),
    [
        ((64, 64), (40, 10), SQUARE, (20, 10)),
        ((64, 64), (10, 40), SQUARE, (10, 5)),
        ((640, 320), (40, 40), SQUARE, (40, 10)),
        ((64, 64), (40, 10), (10, 25), (25, 10)),
        ((1000, 1), (40, 10), SQUARE, (40, 1)),
        ((1, 1000), (40, 10), SQUARE, (1, 10)),
    ],
)
def test_it_is_as_large_as_its_place_allows_in_its_own_proportions(
    size: tuple[int, int], place: tuple[int, int], cell: tuple[int, int], becomes: tuple[int, int]
) -> None:
    lines = half_cells(Image.new("RGB", size, (1, 2, 3)), *place, cell)
    assert ({line.cell_length for line in lines}, len(lines)) == ({becomes[0]}, becomes[1])


class Frame(App[None]):
    CSS = "HalfCells { background: #102030; }"

    def compose(self) -> ComposeResult:
        picture = Image.new("RGBA", (4, 4), (200, 100, 50, 255))
        picture.putpixel((0, 0), (0, 0, 0, 0))
        picture.putpixel((0, 1), (0, 0, 0, 0))
        yield HalfCells(half_cells(picture, 4, 2, SQUARE))


async def test_the_ground_of_its_place_is_seen_through_it_and_another_takes_its_place() -> None:
    app = Frame()
    async with app.run_test(size=(20, 5)) as pilot:
        widget = app.query_one(HalfCells)
        assert widget.size == (4, 2)
        lines = app.screen._compositor.render_strips()
        assert colours(lines)[0][0][::2] == (" ", (16, 32, 48))
        widget.lines = half_cells(Image.new("RGB", (6, 6), (1, 2, 3)), 6, 3, SQUARE)
        await pilot.pause()
        assert widget.size == (6, 3)
        drawn = app.screen._compositor.render_strips()
        assert colours(drawn)[2][0] == ("▀", (1, 2, 3), (1, 2, 3))
