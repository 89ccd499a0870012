"""What is done with a run from the list: deleted, resumed, trained longer, copied, renamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input

from core.config.options import Concept, RunConfig
from core.config.parsing import with_changes
from core.events import Done, Failed, Stopped
from core.runs.folder import Run
from core.runs.history import summary
from core.runs.longer import Length, changes_for
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft, list_drafts
from dbtui.faults import told
from dbtui.home.deleting import what_is_lost
from dbtui.home.screen import HomeScreen
from dbtui.monitor.screen import MonitorScreen
from dbtui.widgets.asked import Asked
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from tests.dbtui.app_driving import imagined, shown, until
from tests.dbtui.synthetic import started, step
from tests.dbtui.test_home import a_step, begun, looked_at, make_run


async def test_deleting_asks_first_says_what_is_lost_and_then_deletes(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    (run.checkpoints / "step-000005").mkdir(parents=True)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "stopped" in shown(app))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "1 saved state" in str(app.screen.text)  # type: ignore[attr-defined]
        await pilot.press("enter")
        assert run.path.is_dir()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("d", "d")
        await pilot.pause(0.2)
        assert run.path.is_dir() and isinstance(app.screen, Question), "the key that asks is not the one that does"
        await pilot.press("x")
        await until(pilot, lambda: not run.path.exists() and "Welcome" in shown(app))


async def test_after_deleting_the_cursor_stays_near(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        make_run(tmp_path, name)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "not started")
        home = app.screen
        assert isinstance(home, HomeScreen)
        await pilot.press("end", "up")
        for gone, then in (("c", "d"), ("d", "b")):
            await until(pilot, lambda gone=gone: home.selected is not None and home.selected.name == gone)  # type: ignore[misc]
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, Question))
            await pilot.press("x")
            await until(pilot, lambda gone=gone: gone not in [entry.name for entry in home.entries])  # type: ignore[misc]
            assert home.selected is not None and home.selected.name == then


def test_what_is_lost_names_only_what_there_is(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", begun())
    assert what_is_lost(tmp_path, "clock").startswith("Lost for good: the history: ")
    (run.checkpoints / "step-000005").mkdir(parents=True)
    (run.path / "made.png").touch()
    assert "good: 1 saved state, 1 picture that the program made, the history: " in what_is_lost(tmp_path, "clock")


@pytest.mark.parametrize("key", ["d", "l", "a"])
async def test_a_key_that_is_pressed_twice_asks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    make_run(tmp_path, "clock", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "✓ done")
        await pilot.press(key, key, key)
        await until(pilot, lambda: len(app.screen_stack) > 1)
        await until(pilot, lambda: all(worker.is_finished for worker in app.workers if worker.group == "do"))
        await pilot.pause(0.1)
        assert len(app.screen_stack) == 2


async def test_a_mistake_in_the_program_is_said_and_its_place_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        raise TypeError("evil \x1b")
    except TypeError as error:
        assert "TypeError: evil \\x1b. Please report" in told(error, tmp_path)
    logged = (tmp_path / "app.log").read_text()
    assert Path(__file__).name in logged and "\x1b" not in logged

    def mistaken(home: Path, name: str) -> str:
        raise TypeError("no such thing")

    monkeypatch.setattr("dbtui.home.deleting.what_is_lost", mistaken)
    make_run(tmp_path, "clock", begun())
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "not started" in shown(app) or "cut off" in shown(app))
        for _ in range(2):
            app.clear_notifications()
            await pilot.press("d")
            await until(pilot, lambda: app._notifications)
            said = next(iter(app._notifications)).message
            assert "fault of dbtui itself: TypeError: no such thing" in said and "app.log" in said


async def test_a_mistake_that_comes_with_every_look_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def mistaken(home: Path) -> list[Draft]:
        asked.append(home)
        raise KeyError("drafts")

    monkeypatch.setattr("dbtui.drafts.list_drafts", mistaken)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        for number in (1, 2, 3):
            await until(pilot, lambda number=number: len(asked) >= number and not app.screen._reads)  # type: ignore[misc]
            app.screen.look()  # type: ignore[attr-defined]
        await until(pilot, lambda: app._notifications)
        assert ["fault of dbtui itself: KeyError" in notice.message for notice in app._notifications] == [True]


async def test_resuming_asks_where_and_goes_through_the_launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    asked: list[tuple[str, bool, bool]] = []
    monkeypatch.setattr(
        DbtuiApp,
        "start_run",
        lambda self, run, *, resume, background, after: asked.append((run.name, resume, background)),
    )
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "stopped" in shown(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("b")
        await until(pilot, lambda: asked)
    assert asked == [("clock", True, True)]


async def test_a_finished_run_is_trained_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, "clock", begun(600), a_step(600), Done(step=600, seconds=9))
    asked: list[tuple[str, bool, bool]] = []
    monkeypatch.setattr(
        DbtuiApp, "start_run",
        lambda self, run, *, resume, background, after: asked.append((run.name, resume, background)),
    )  # fmt: skip
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "✓ done")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, Asked))
        assert "100 epochs, 600 steps" in shown(app) and "writes clock.safetensors" in shown(app)
        await pilot.press("0", "enter")  # nothing is no number of epochs
        await pilot.pause()
        assert "from 1 to" in shown(app)
        await pilot.press("backspace", "４", "0", "enter")  # as an input method for Chinese may write it
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert run.config().intervals.epochs == 100
        await pilot.press("b")
        await until(pilot, lambda: asked)
    assert asked == [("clock", True, True)]
    assert run.config().intervals.epochs == 140


def test_longer_counts_epochs_in_steps_where_steps_are_what_ends_a_run() -> None:
    config = with_changes(RunConfig(), {"intervals.epochs": 10})
    assert changes_for(config, 5, Length(10, 60, 6, False)) == {"intervals.epochs": 15}
    config = with_changes(config, {"intervals.max_steps": 100})
    assert changes_for(config, 5, Length(0, 100, 6, False)) == {"intervals.max_steps": 130}


async def test_copying_opens_the_wizard_with_the_options_of_the_run_under_a_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    changes = {"model.name": "clock", "batch.size": 3,
               "concepts.0.instance.directory": "/pictures/clock", "concepts.0.instance.class_noun": "alarm clock",
               "concepts.1.instance.directory": "/pictures/cat", "concepts.1.instance.repeats": 4,
               "learning_rate.rate": 3e-6}  # fmt: skip
    config = RunConfig(concepts=(Concept(), Concept()))
    run = Run.create(tmp_path, with_changes(config, changes), "test")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "not started")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        screen = app.screen
        assert isinstance(screen, WizardScreen)
        await until(pilot, lambda: screen.context.looked is not None and not screen.wizard.is_busy)
        made = run.config()
        assert screen.context.config == made.model_copy(
            update={"model": made.model.model_copy(update={"name": "clock-2"})}
        )
        assert not list_drafts(tmp_path)  # a look at it leaves nothing behind


async def test_who_uses_the_class_pictures_of_a_run_stands_in_the_question(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    changes = {"model.name": "other", "concepts.0.prior.directory": str(run.class_pictures / "dog"),
               "concepts.0.prior.images_per_instance": 2}  # fmt: skip
    Run.create(tmp_path, with_changes(RunConfig(), changes), "0")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "stopped")
        for key, told in (("d", "stay with the runs that use them: other"), ("m", "new name: other")):
            await pilot.press(key)
            await until(pilot, lambda told=told: told in " ".join(shown(app).replace("│", "").split()))  # type: ignore[misc]
            await pilot.press("escape")


async def test_a_run_gets_another_name(tmp_path: Path) -> None:
    make_run(tmp_path, "cat")
    run = make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "stopped")
        for typed, told in (("cat", "of that name already"), ("../x", "Letters, digits")):
            await pilot.press("m")
            await until(pilot, lambda: isinstance(app.screen, Asked))
            app.screen.query_one(Input).value = typed
            await pilot.press("enter")
            await looked_at(app, pilot, told)
            await pilot.press("escape")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Asked))
        app.screen.query_one(Input).value = "bell"
        await pilot.press("enter")
        await looked_at(app, pilot, "bell")
    assert not run.path.exists()
    renamed = Run.open(tmp_path, "bell")
    assert (renamed.config().model.name, summary(renamed).step) == ("bell", 5)


@pytest.mark.parametrize("is_saved", [False, True])
@pytest.mark.parametrize("state", ["stopped", "failed", "lost"])
async def test_a_run_of_which_nothing_was_saved_begins_again_and_one_with_a_state_goes_on_from_there(
    home: Path, make_run: Callable[..., Run], state: str, is_saved: bool
) -> None:
    ending = {"stopped": [Stopped(step=122, saved=False)], "failed": [Failed(code="x", message="m", advice="a")],
              "lost": []}[state]  # fmt: skip
    run = make_run("clock", started(300), step(122), *ending)
    if is_saved:
        (run.path / "checkpoints" / "step-000100").mkdir(parents=True)
    app = DbtuiApp(home)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: ("clock" in shown(app) and "r Re" in shown(app)) or "r St" in shown(app))
        assert ("step 0" in shown(app)) == ("r Start again" in shown(app)) == (not is_saved)
        assert state != "stopped" or ("100/300" if is_saved else " 0/300") in shown(app), "the rest was not kept"
        assert state != "lost" or not is_saved or "goes on from step 100" in shown(app)
        assert ("e Export" in shown(app)) == is_saved, "there is nothing else to export"
        if not is_saved:
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "r Start again" in shown(app))
