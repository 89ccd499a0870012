"""After a failure: what may help, each on a key, and what that trains."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from core.config.options import RunConfig
from core.events import Failed
from core.runs.folder import Run, list_runs
from core.texts import UserError
from dbtui.app import DbtuiApp
from dbtui.widgets.question import Question
from tests.dbtui import synthetic
from tests.dbtui.after.ended import (
    NARROW,
    OUT_OF_MEMORY,
    SIZES,
    WIDE,
    both,
    journal_of,
    make,
    opened,
)
from tests.dbtui.app_driving import shown, until
from tests.dbtui.monitor.bench import settle
from tests.dbtui.synthetic import NOON


@SIZES
def test_snapshot_of_what_to_try(snap_compare: Any, run: Run, size: tuple[int, int]) -> None:
    synthetic.in_training(journal_of(run))
    journal_of(run).say(OUT_OF_MEMORY)
    (run.checkpoints / "step-000200").mkdir(parents=True)

    async def before(pilot: Pilot[int]) -> None:
        await opened(pilot.app, pilot, run)  # type: ignore[arg-type]
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await settle(pilot)

    assert snap_compare(DbtuiApp(run.home), terminal_size=size, run_before=before)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, RunConfig]]:
    """What was to be trained: name, whether it goes on, with which options."""
    seen: list[tuple[str, bool, RunConfig]] = []

    def launch(run: Run, resume: bool, on_event: Any) -> Any:
        seen.append((run.name, resume, run.config()))
        return SimpleNamespace(running=False, run=run)

    monkeypatch.setattr("core.runs.launch.launch_thread", launch)
    return seen


async def test_each_thing_to_try_has_a_key_and_one_that_keeps_the_update_goes_on_from_the_last_state(
    run: Run, launched: list[Any]
) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 260), OUT_OF_MEMORY)
    (run.checkpoints / "step-000200").mkdir(parents=True)
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        assert "F2 lists what may help" in shown(app)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        said = shown(app)
        assert "There was not enough memory" in said and "from step 200" in said and "new run" in said
        await pilot.press("1")
        await until(pilot, lambda: launched)
        name, resume, config = launched[0]
        assert (name, resume) == ("clock", True)
        assert (config.batch.size, config.batch.accumulation) == (1, 4)


async def test_a_change_that_the_saved_states_cannot_take_trains_a_new_run(run: Run, launched: list[Any]) -> None:
    nan = Failed(code="training.not-finite", message="No number.", advice="Lower the rate.", step=5, time=NOON)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 5), nan)
    (run.checkpoints / "step-000200").mkdir(parents=True)
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("1")
        await until(pilot, lambda: launched and getattr(app.screen, "run", run) != run)
        name, resume, config = launched[0]
        assert (name, resume) == ("clock-2", False)
        assert config.rate == run.config().rate / 2


@pytest.mark.parametrize(("began", "left"), [(False, ["clock"]), (True, ["clock", "clock-2"])])
async def test_a_new_run_that_does_not_start_is_not_left_behind_but_one_that_has_begun_stays(
    run: Run, monkeypatch: pytest.MonkeyPatch, began: bool, left: list[str]
) -> None:
    def refuse(copied: Run, resume: bool, on_event: Any) -> Any:
        if began:
            journal_of(copied).say(synthetic.started())
        raise UserError("launch.refused", "It cannot start.")

    monkeypatch.setattr("core.runs.launch.launch_thread", refuse)
    nan = Failed(code="training.not-finite", message="No number.", advice="Lower the rate.", step=5, time=NOON)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 5), nan)
    (run.checkpoints / "step-000200").mkdir(parents=True)
    (run.class_pictures / "dog").mkdir(parents=True)
    (run.class_pictures / "dog" / "1.png").write_bytes(b"x")
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        monitor = await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("1")
        await until(pilot, lambda: any("It cannot start." in notice.message for notice in app._notifications))
        await until(pilot, lambda: [found.name for found in list_runs(run.home)] == left)
        assert app.screen is monitor and (run.class_pictures / "dog" / "1.png").is_file()


async def test_before_anything_was_saved_the_same_run_begins_anew_with_the_change(
    run: Run, launched: list[Any]
) -> None:
    nan = Failed(code="training.not-finite", message="No number.", advice="Lower the rate.", time=NOON)
    journal_of(run).say(synthetic.started(), nan)
    before = run.config().rate
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "nothing was saved yet" in shown(app)
        await pilot.press("1")
        await until(pilot, lambda: launched)
        assert launched[0][:2] == ("clock", True) and launched[0][2].rate == before / 2


async def test_what_no_option_helps_against_can_be_tried_again_or_looked_up_in_the_log(run: Run) -> None:
    journal_of(run).say(synthetic.started(), Failed(code="internal", message="A mistake.", time=NOON))
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, run)
        for key, condition in (
            ("l", lambda: app.screen is monitor and monitor.maximised == "log"),
            ("r", lambda: isinstance(app.screen, Question) and "where?" in app.screen.title_text),
        ):
            await pilot.press("f2")
            await until(pilot, lambda: isinstance(app.screen, Question))
            assert len(app.screen.answers) == 2  # type: ignore[attr-defined]
            await pilot.press(key)
            await until(pilot, condition)  # type: ignore[arg-type]


async def test_a_damaged_run_toml_still_tells_what_happened(run: Run) -> None:
    journal_of(run).say(synthetic.started(), OUT_OF_MEMORY)
    run.config_path.write_text("[[[")
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "not enough memory" in shown(app)


async def test_where_the_model_cannot_be_fetched_another_one_is_chosen_with_all_else_as_it_was(tmp_path: Path) -> None:
    from dbtui.wizard.base import WizardScreen

    run = make(tmp_path / "home", "clock", model__source="owner/name", intervals__epochs=33)
    journal_of(run).say(Failed(code="source.unreachable", message="The hub cannot be reached.", advice="", step=None))
    app = DbtuiApp(run.home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "Choose another model, or its folder" in shown(app) and "Try again as it is" in shown(app)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        wizard = app.screen
        assert isinstance(wizard, WizardScreen)
        await until(pilot, lambda: wizard.focused_row is not None and wizard.focused_row.path == "model.source")
        assert wizard.context.config.intervals.epochs == 33 and wizard.context.config.model.name != "clock"


async def test_where_the_pictures_are_gone_another_folder_is_chosen(tmp_path: Path) -> None:
    from dbtui.wizard.base import WizardScreen

    field = "concepts.0.instance.directory"
    run = make(tmp_path / "home", "clock", **{field.replace(".", "__"): str(tmp_path / "gone")})
    journal_of(run).say(Failed(code="pictures.missing", message="The folder does not exist."))
    app = DbtuiApp(run.home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "Choose another folder of pictures" in shown(app)
        await pilot.press("c")
        await until(
            pilot,
            lambda: (
                isinstance(app.screen, WizardScreen)
                and app.screen.focused_row is not None
                and app.screen.focused_row.path == field
            ),
        )


@pytest.mark.parametrize(("key", "reads"), [("f2", "mending.saved_steps"), ("o", "overlay.others")])
async def test_a_key_that_is_pressed_twice_asks_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, reads: str
) -> None:
    pressed = Event()
    module, name = reads.split(".")
    read = getattr(import_module(f"dbtui.monitor.{module}"), name)
    monkeypatch.setattr(f"dbtui.monitor.{reads}", lambda given: pressed.wait(9) and read(given))
    ours, _ = both(tmp_path / "home")
    journal_of(ours).say(OUT_OF_MEMORY)
    app = DbtuiApp(ours.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, ours)
        depth = len(app.screen_stack)
        await pilot.press(key, key, key)
        pressed.set()
        await until(pilot, lambda: len(app.screen_stack) > depth)
        await settle(pilot)
        await pilot.pause(0.1)
        assert len(app.screen_stack) == depth + 1
