"""A run's name that another run has: it is told wherever one is, and a key takes a free one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.config.findings import Finding, Fix, Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.planning.facts import Facts
from core.runs.folder import Run, list_runs
from core.texts import message
from dbtui.app import DbtuiApp
from dbtui.wizard.base import WizardScreen
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, row_of, shown, until

NAME = "model.name"


def with_names(config: RunConfig, home: Path, **options: Any) -> Facts:
    return replace(imagined(config, home, **options), names_in_use=frozenset(run.name for run in list_runs(home)))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("dbtui.wizard.flow.survey", with_names)
    yield


def make(home: Path, name: str = "clock") -> None:
    Run.create(home, with_changes(RunConfig(), {NAME: name}), "0")


@pytest.mark.parametrize("step", ["model", "concepts", "parameters", "review"])
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_draft_whose_name_a_run_has_got_says_so_on_whatever_screen_it_opens_and_f2_mends_it(
    tmp_path: Path, step: str, size: tuple[int, int]
) -> None:
    make(tmp_path)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, step, {**FILLED, "concepts.0.prior.images_per_instance": "2"})
        await until(pilot, lambda: "A run named clock exists" in shown(app))
        await at_rest(pilot)
        if step == "model":
            screen.query_one("#next").focus()
        await pilot.press("f2")
        await until(pilot, lambda: screen.context.text(NAME) == "clock-2")
        await until(pilot, lambda: "A run named clock exists" not in shown(app))


async def test_a_name_in_use_is_told_at_the_key_that_makes_it_one(tmp_path: Path) -> None:
    make(tmp_path)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot)
        next(row for row in screen.query("Row") if row.path == NAME).control.focus()  # type: ignore[attr-defined]
        await pilot.press(*"clock")
        await until(pilot, lambda: "A run named clock exists" in shown(app))
        await pilot.press("f2")
        await until(pilot, lambda: screen.context.text(NAME) == "clock-2")


async def test_a_name_that_cannot_be_one_is_mended_to_one_that_no_run_has(tmp_path: Path) -> None:
    make(tmp_path, "my-dog")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "model", {**FILLED, NAME: "my dog"})
        await until(pilot, lambda: "F2: Name it my-dog-2" in shown(app))
        row_of(screen, NAME).control.focus()
        await pilot.press("f2")
        await until(pilot, lambda: screen.context.text(NAME) == "my-dog-2")


async def test_a_name_that_was_taken_while_the_wizard_was_open_leads_to_its_field(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "review", {**FILLED, "concepts.0.prior.images_per_instance": "2"})
        make(tmp_path)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.step == "model")
        await until(pilot, lambda: "A run named clock exists" in shown(app))
        screen = app.screen
        assert isinstance(screen, WizardScreen) and screen.focused_row is not None
        assert screen.focused_row.path == NAME
        await pilot.press("f2")
        await until(pilot, lambda: screen.context.text(NAME) == "clock-2")


async def test_a_mend_of_another_field_is_asked_about_where_the_focused_one_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        wrong = {"batch.size": "many", "learning_rate.warmup_steps": "x"}
        screen = await open_wizard(pilot, "parameters", {**FILLED, **wrong})
        row_of(screen, "batch.size").control.focus()
        await pilot.pause()
        other = Fix(message("x.fix", "Take none"), {"learning_rate.warmup_steps": "0"})
        ways: dict[str, tuple[Fix, ...]] = {"batch.size": (), "learning_rate.warmup_steps": (other,)}
        found = [Finding(Level.ERROR, path, message("x.a", "No number."), fixes) for path, fixes in ways.items()]
        monkeypatch.setattr(screen.context, "findings_of", lambda step: found)
        await pilot.press("f2")
        await until(pilot, lambda: "Warm-up: Take none" in shown(app))
        assert screen.context.text("learning_rate.warmup_steps") == "x"
        await pilot.press("1")
        await until(pilot, lambda: screen.context.text("learning_rate.warmup_steps") == "0")


async def test_while_the_number_of_class_pictures_cannot_be_read_nothing_is_told_that_hangs_on_it(
    tmp_path: Path,
) -> None:
    path = "concepts.0.prior.images_per_instance"
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", {**FILLED, path: "0", "concepts.0.prior.steps": "77"})
        await until(pilot, lambda: "no class pictures are asked for" in str(screen.context.findings))
        screen.context.edit(path, "99999999")
        assert "no class pictures are asked for" not in str(screen.context.findings)
        assert [one.field for one in screen.context.findings if one.level is Level.ERROR] == [path]


@pytest.mark.parametrize("path", ["intervals.epochs", "intervals.max_steps"])
async def test_while_the_length_of_the_run_cannot_be_read_nothing_is_told_that_hangs_on_it(
    tmp_path: Path, path: str
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", {**FILLED, "intervals.save_every_epochs": "900"})
        before = {one.code for one in screen.context.findings}
        assert "save.never" in before
        screen.context.edit(path, "-1")
        assert {one.code for one in screen.context.findings} == before - {"save.never"} | {"config.value"}
