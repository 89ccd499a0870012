"""Any field is found by typing a part of its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList

from core.config.searching import find_options
from core.config.table import find_option, option_table
from dbtui.app import DbtuiApp
from dbtui.widgets.guidance import Guidance
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.finding import FindField
from dbtui.wizard.rows import Row
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, press, shown, until


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)


def focused(app: DbtuiApp) -> str:
    row = app.screen.focused_row if isinstance(app.screen, WizardScreen) else None
    return row.path if row is not None else ""


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_rare_field_of_another_screen_is_found_and_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await open_wizard(pilot, "model", dict(FILLED))
        await pilot.press("ctrl+f", *"offset")
        await until(pilot, lambda: isinstance(app.screen, FindField) and len(app.screen.found) == 1)
        await until(pilot, lambda: "usual; 0 is off" in shown(app))
        assert "Offset noise" in shown(app) and "Performance" in shown(app)
        await pilot.press("enter")
        await until(pilot, lambda: focused(app) == "performance.offset_noise")


@pytest.mark.parametrize("word", ["validate", "shuffle", "prior loss weight"])
async def test_what_is_typed_faster_than_it_is_drawn_is_found_and_typed_into(tmp_path: Path, word: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        [option] = find_options(word, option_table())[:1]
        press(app, "ctrl+f", *word, "enter")
        await until(pilot, lambda: focused(app) == option.path)
        assert screen.context.config.model.name == FILLED["model.name"]


async def test_a_screen_begins_at_the_field_that_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        focus: list[str] = []
        monkeypatch.setattr(Row, "on_descendant_focus", lambda row: focus.append(row.path), raising=False)
        await screen.wizard.go("parameters", "intervals.validate_every_steps")
        await until(pilot, lambda: focused(app) == "intervals.validate_every_steps")
        await at_rest(pilot)
        assert set(focus) == {"intervals.validate_every_steps"}


async def test_a_screen_told_of_a_field_that_is_not_there_begins_at_its_first(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "model", dict(FILLED))
        await screen.wizard.go("concepts", "concepts.3.instance.identifier")
        await until(pilot, lambda: focused(app).startswith("concepts.0."))


async def test_the_arrows_choose_and_escape_changes_nothing(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED))
        before = focused(app)
        await pilot.press("ctrl+f", *"epochs")
        await until(pilot, lambda: isinstance(app.screen, FindField) and app.screen.found)
        assert isinstance(app.screen, FindField)
        wanted = app.screen.found[1].path
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert focused(app) == before
        await pilot.press("ctrl+f", *"epochs", "down", "enter")
        await until(pilot, lambda: focused(app) == wanted)


async def test_what_was_highlighted_or_chosen_before_the_last_letter_is_meant_as_it_was(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "parameters", dict(FILLED))
        await pilot.press("ctrl+f")
        await until(pilot, lambda: isinstance(app.screen, FindField) and app.screen.found)
        screen = app.screen
        assert isinstance(screen, FindField)
        listing = screen.query_one(OptionList)
        listing.action_last()
        screen._list("offset")
        await until(pilot, lambda: "usual; 0 is off" in shown(app))
        screen._list("epochs")
        wanted = screen.found[1].path
        listing.highlighted = 1
        listing.action_select()
        screen._list("offset")
        await until(pilot, lambda: focused(app) == wanted)


async def test_a_slash_finds_too_where_it_is_not_typed(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.screen, FindField))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await screen.wizard.go("model", "model.source")
        await until(pilot, lambda: focused(app) == "model.source")
        await pilot.press("slash")
        await pilot.pause()
        assert isinstance(app.screen, WizardScreen) and app.screen.context.text("model.source").endswith("/")


async def test_a_field_of_a_concept_is_that_of_the_concept_one_is_at(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED), concepts=2)
        await screen.go_to_field("concepts.1.instance.identifier")
        await pilot.press("ctrl+f", *"repeats", "enter")
        await until(pilot, lambda: focused(app) == "concepts.1.instance.repeats")


async def test_what_is_called_by_no_name_finds_nothing_and_enter_stays(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "model")
        await pilot.press("ctrl+f", *"[red", "enter")
        await until(pilot, lambda: "No field is called so." in shown(app))
        assert isinstance(app.screen, FindField)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 50)], ids=["80x24", "120x36", "160x50"])
def test_the_list_of_fields_looks_as_it_did(
    snap_compare: Callable[..., bool], tmp_path: Path, size: tuple[int, int]
) -> None:
    async def prepare(pilot: Any) -> None:
        await open_wizard(pilot, "model", dict(FILLED), "face")
        await pilot.press("ctrl+f", *"rate")
        await until(pilot, lambda: "Text encoder rate" in shown(pilot.app))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path), run_before=prepare, terminal_size=size)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_help_that_is_too_long_for_the_foot_names_the_key_that_shows_it_whole(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = DbtuiApp(tmp_path)
    whole = find_option("model.source").help
    async with app.run_test(size=size) as pilot:
        await open_wizard(pilot)
        await pilot.press("ctrl+f")
        await until(pilot, lambda: isinstance(app.screen, FindField))
        await pilot.press(*"source model")
        await until(pilot, lambda: "What you start from" in shown(app))
        await at_rest(pilot)
        assert "F1 shows all" in shown(app)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Guidance))
        assert isinstance(app.screen, Guidance) and whole in app.screen.topic.plain
