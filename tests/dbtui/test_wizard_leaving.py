"""The ways out of the wizard: Escape leaves no screen and says so, F3 goes back, and nothing that was typed is lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.runs.folder import Run
from core.texts import UserError
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft, list_drafts
from dbtui.home.screen import HomeScreen
from dbtui.widgets.guidance import Guidance
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.rows import Choice, Row
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, press, until


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


async def test_the_list_stands_on_the_draft_that_was_kept(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        Run.create(tmp_path, with_changes(RunConfig(), {"model.name": name}), "0")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and len(app.screen.entries) == 2)
        home = app.screen
        assert isinstance(home, HomeScreen)
        await pilot.press("end")
        screen = await open_wizard(pilot)
        next(row for row in screen.query(Row) if row.path == "model.name").control.focus()
        await pilot.press(*"cat", "f3", "f3")
        await until(pilot, lambda: app.screen is home)
        await until(pilot, lambda: home.selected is not None and home.selected.draft is not None)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen))
        assert app.screen.context.text("model.name") == "cat"  # type: ignore[attr-defined]


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


@pytest.mark.parametrize(("keys", "seen"), [(("f1",), "ModelScreen"), (("f3",) * 4, "HomeScreen")])
async def test_a_name_that_was_taken_meanwhile_is_told_whatever_is_seen_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], seen: str
) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def create(*given: Any, **named: Any) -> Run:
        hangs.set()
        goes_on.wait(20)
        raise UserError("run.name-in-use", "It is taken.")

    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        await until(pilot, lambda: screen.context.looked is not None and not screen.wizard.is_busy)
        await pilot.pause()
        monkeypatch.setattr(Run, "create", create)
        await pilot.press("s")
        await until(pilot, hangs.is_set)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.1)
        goes_on.set()
        await until(pilot, lambda: any("meanwhile" in one.message for one in app._notifications))
        await until(pilot, lambda: type(app.screen).__name__ == seen)
        assert len(app.screen_stack) == (1 if seen == "HomeScreen" else 2)


async def test_whoever_has_gone_on_while_the_draft_was_written_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def slow(*given: Any) -> None:
        hangs.set()
        goes_on.wait(20)

    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "model", dict(FILLED))
        monkeypatch.setattr("dbtui.wizard.flow.save_draft", slow)
        screen.wizard.changed()
        await pilot.press("f3")
        await until(pilot, hangs.is_set)
        await pilot.press("f4")
        await until(pilot, lambda: type(app.screen).__name__ == "ConceptsScreen")
        goes_on.set()
        await pilot.pause(0.3)
        assert type(app.screen).__name__ == "ConceptsScreen" and app.screen.is_ready  # type: ignore[attr-defined]


@pytest.mark.parametrize(("step", "times", "reached"), [("review", 3, "model"), ("parameters", 2, "model"),
                                                        ("parameters", 3, "")])  # fmt: skip
async def test_f3_pressed_quickly_goes_back_as_often_as_it_was_pressed(
    tmp_path: Path, step: str, times: int, reached: str
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, step, dict(FILLED))
        press(app, *["f3"] * times)
        await until(pilot, lambda: getattr(app.screen, "step", "") == reached)
        await at_rest(pilot)
        assert getattr(app.screen, "step", "") == reached


async def test_no_list_is_spoken_of_where_the_wizard_is_left_for_another_screen(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        below = Screen[None]()
        await app.push_screen(below)
        screen = await open_wizard(pilot, "model", dict(FILLED))
        screen.context.edit("model.name", "watch")
        screen.wizard.changed()
        await pilot.press("f3")
        await until(pilot, lambda: app.screen is below)
        await until(pilot, lambda: notices(app) == ["What you typed is kept, as a draft among your runs."])
