"""An empty field shows where something is typed: an example of it, or that it is optional, in every look."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.color import Color

from core.config.table import option_table
from dbtui.app import DbtuiApp
from dbtui.looks import THEMES
from dbtui.wizard.placeholders import placeholder
from dbtui.wizard.rows import Field, Row
from tests.dbtui.app_driving import at_rest, imagined, open_wizard, shown

NARROW_CELLS = 23


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)


def test_every_field_that_may_stand_empty_says_something_and_no_example_is_cut_off(spoken: str) -> None:
    for option in option_table():
        said = placeholder(option.path.replace("*", "0"), option)
        assert bool(said) == (option.default == "" or option.path.endswith("class_noun")), option.path
        if option.kind not in ("path", "directory", "prompt"):
            assert cell_len(said) <= NARROW_CELLS, said


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@pytest.mark.parametrize("step", ["model", "concepts", "parameters"])
async def test_an_empty_field_shows_it_whole(tmp_path: Path, step: str, size: tuple[int, int]) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, step)
        for row in screen.query(Row):
            if isinstance(row.control, Field) and not row.control.value:
                row.control.focus()
                await at_rest(pilot)
                assert row.control.placeholder and row.control.placeholder in shown(app)


@pytest.mark.parametrize("looks", [*THEMES, "no-colour"])
async def test_it_can_be_read_in_every_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: str) -> None:
    if looks == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    app = DbtuiApp(tmp_path, looks="dark" if looks == "no-colour" else looks)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot)
        await at_rest(pilot)
        field = next(row.control for row in screen.query(Row) if row.path == "model.name")
        y = field.region.y
        segments = [segment for segment in screen._compositor.render_strips()[y] if "my-dog" in segment.text]
        (style,) = [segment.style for segment in segments]
        assert style is not None and style.color is not None and style.bgcolor is not None and not style.dim
        if style.color.is_default:
            assert style.bgcolor.is_default  # the terminal's own, which its owner can read
        else:
            front, back = (luminance(Color.from_rich_color(colour)) for colour in (style.color, style.bgcolor))
            assert (max(front, back) + 0.05) / (min(front, back) + 0.05) >= 4.5


def luminance(colour: Color) -> float:
    """Relative, as WCAG 2 has it."""
    parts = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
