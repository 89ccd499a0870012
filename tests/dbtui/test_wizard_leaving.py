"""The ways out of the wizard: Escape leaves no screen and says so, F3 goes back, and nothing that was typed is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtui.app import DbtuiApp
from dbtui.drafts import Draft, list_drafts
from dbtui.home.screen import HomeScreen
from dbtui.widgets.guidance import Guidance
from dbtui.widgets.question import Question
from dbtui.wizard.rows import Choice, Row
from tests.dbtui.app_driving import FILLED, imagined, open_wizard, until


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)


def notices(app: DbtuiApp) -> list[str]:
    return [notice.message for notice in app._notifications]


async def test_escape_over_the_form_tells_once_what_it_does_and_what_goes_back(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        await pilot.press("escape", "escape", "escape")
        await until(pilot, lambda: notices(app))
        (said,) = notices(app)
        assert "F3 goes back" in said and app.screen is screen
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Guidance))
        assert "leaves no screen" in app.screen.keys.plain  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert notices(app) == [], "it is not told once more"


async def test_escape_closes_an_open_list_or_completion_and_that_alone(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "clock").mkdir(parents=True)
    (tmp_path / "pictures" / "cat").mkdir()
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot)
        preset, source = (next(row.control for row in screen.query(Row) if row.path == path)
                          for path in ("preset", "model.source"))  # fmt: skip
        assert isinstance(preset, Choice)
        preset.focus()
        await pilot.press("enter")
        await until(pilot, lambda: preset.expanded)
        await pilot.press("escape")
        await until(pilot, lambda: not preset.expanded)
        source.focus()
        await pilot.press(*f"{tmp_path}/pictures/c")
        await until(pilot, lambda: source.is_completing)  # type: ignore[union-attr]
        await pilot.press("escape")
        await until(pilot, lambda: not source.is_completing)  # type: ignore[union-attr]
        await pilot.pause()
        assert not notices(app) and app.screen is screen


async def test_f3_on_the_first_screen_keeps_the_draft_and_says_so(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot)
        next(row for row in screen.query(Row) if row.path == "model.name").control.focus()
        await pilot.press(*"cat", "f3", "f3")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        (said,) = notices(app)
        assert "is kept" in said
        assert [draft.texts["model.name"] for draft in list_drafts(tmp_path)] == ["cat"]


async def test_where_nothing_was_typed_nothing_is_kept_and_nothing_said(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot)
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        assert not notices(app) and not list_drafts(tmp_path)


@pytest.mark.parametrize("key", ["s", "l"])
async def test_what_cannot_be_written_is_asked_about_before_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    def full(home: Path, draft: Draft) -> None:
        raise OSError(28, "No space left on device")

    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot)
        monkeypatch.setattr("dbtui.wizard.flow.save_draft", full)
        next(row for row in screen.query(Row) if row.path == "model.name").control.focus()
        await pilot.press(*"cat", "f3")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press(key)
        await until(pilot, lambda: app.screen is screen if key == "s" else isinstance(app.screen, HomeScreen))
        assert screen.context.text("model.name") == "cat"
        assert not any("is kept" in said for said in notices(app))
