"""Drafts of the wizard in the list of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from dbtui.app import DbtuiApp
from dbtui.drafts import Draft, list_drafts, save_draft
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from tests.dbtui.app_driving import HOSTILE, imagined, shown, until


async def test_a_draft_is_listed_continued_where_it_was_left_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    save_draft(tmp_path, Draft("20250101-120000-aaaa", "face", "concepts", 1, {"model.name": "my-clock"}))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "~ draft" in shown(app) and "my-clock" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen))
        screen = app.screen
        assert isinstance(screen, WizardScreen)
        assert (screen.step, screen.context.preset) == ("concepts", "face")
        assert screen.context.text("model.name") == "my-clock"
        await pilot.press("f3")
        await until(pilot, lambda: app.screen is not screen)
        await pilot.press("f3")
        await until(pilot, lambda: app.screen.query(OptionList))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("x")
        await until(pilot, lambda: not list_drafts(tmp_path) and "Welcome" in shown(app))


def test_a_draft_comes_back_as_it_was_typed(tmp_path: Path) -> None:
    texts = {"model.name": "", "batch.size": "four", **{f"concepts.0.{n}": name for n, name in enumerate(HOSTILE)}}
    save_draft(tmp_path, Draft("20250101-120000-aaaa", "face", "review", 3, texts))
    (kept,) = list_drafts(tmp_path)
    assert (kept.preset, kept.step, kept.concepts, dict(kept.texts)) == ("face", "review", 3, texts)


def test_a_damaged_draft_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "x.toml").write_text("preset = [")
    (tmp_path / "drafts" / "y.toml").write_text("concepts = 'many'")
    assert list_drafts(tmp_path) == []
    assert (tmp_path / "drafts" / "x.toml").exists()
