"""F1: the keys are seen at once, and whatever does not fit is said to be there."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding

from core.events import Done
from dbtui.app import DbtuiApp
from dbtui.widgets.asked import Asked
from dbtui.widgets.guidance import Guidance, key_in_words
from tests.dbtui import synthetic
from tests.dbtui.after.ended import journal_of, make, opened
from tests.dbtui.app_driving import at_rest, imagined, open_wizard, shown, until

SMALL, LARGE = (80, 24), (120, 60)
SCROLLS = "PgDn show the rest"


@pytest.mark.parametrize("screen", ["home", "monitor", "gallery"])
async def test_the_keys_of_a_screen_come_before_its_long_text(tmp_path: Path, screen: str) -> None:
    run = make(tmp_path / "home", "clock")
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 600), Done(step=600, seconds=9))
    app = DbtuiApp(run.home)
    async with app.run_test(size=SMALL) as pilot:
        if screen != "home":
            await opened(app, pilot, run)
        if screen == "gallery":
            await pilot.press("g")
        await at_rest(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: SCROLLS in shown(app))
        lines = shown(app).splitlines()
        keys = next(number for number, line in enumerate(lines) if line.strip("│ ") == "Keys")
        assert keys <= 5
        assert "Leave: Leaves the program" not in "\n".join(lines[: keys + 4])
        await pilot.press("end")
        last = app.screen.topic.plain.split()[-1]  # type: ignore[attr-defined]
        await until(pilot, lambda: last in shown(app))


async def test_a_line_to_be_typed_is_explained_too(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        app.push_screen(Asked("How much?", "", "Epochs", "37", lambda typed: ""))
        await at_rest(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: "then press Enter" in shown(app))


async def test_that_it_can_be_scrolled_is_said_only_where_something_is_out_of_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    for size in (SMALL, LARGE):
        app = DbtuiApp(tmp_path)
        async with app.run_test(size=size) as pilot:
            await open_wizard(pilot, "parameters")
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(app.screen, Guidance))  # noqa: B023
            await at_rest(pilot)
            assert (SCROLLS in shown(app)) == (size == SMALL)


@pytest.mark.parametrize(
    ("key", "named"),
    [("ctrl+c", "Ctrl+C"), ("f1", "F1"), ("escape", "Esc"), ("pageup", "PgUp"), ("space", "Space"), ("enter", "Enter"),
     ("shift+tab", "Shift+Tab"), ("q", "q"), ("plus", "+"), ("left_square_bracket", "["), ("up", "↑")],
)  # fmt: skip
def test_a_key_is_named_as_in_all_texts(key: str, named: str) -> None:
    assert key_in_words(Binding(key, "nothing")) == named
