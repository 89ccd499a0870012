"""A letter means the same on the list of runs, in the monitor and in the gallery, and the footer names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.events import Done, Stopped
from core.runs.folder import Run
from core.runs.queue import add
from dbtui.actions import ACTIONS
from dbtui.app import DbtuiApp
from dbtui.gallery.screen import GalleryScreen
from dbtui.home.screen import HomeScreen
from dbtui.monitor.screen import MonitorScreen
from dbtui.monitor.using import UsingScreen
from dbtui.widgets.asked import Asked
from dbtui.widgets.question import Question
from tests.dbtui import synthetic
from tests.dbtui.after.ended import journal_of, make, opened
from tests.dbtui.app_driving import imagined, open_wizard, shown, until
from tests.dbtui.monitor.bench import settle
from tests.dbtui.test_footers import keys
from tests.dbtui.test_home import a_step, begun, looked_at, make_run

PLACES = ("home", "monitor", "gallery", "review")
OTHERS = {"c": {"checkpoint", "compare", "choose_cards"}, "d": {"delete", "background"}, "m": {"rename", "best"},
          "s": {"sample", "start"}}  # fmt: skip
"""Letters with more than one meaning; none of these does harm where it is pressed for the other."""
SAME = {"enqueue": "queue", "continue": "pause", "close": "gallery"}


def test_a_letter_means_one_thing() -> None:
    meanings: dict[str, set[str]] = {}
    for action in ACTIONS:
        if action.place in PLACES:
            for key in action.keys.split(","):
                if len(key) == 1 and key.isalpha():
                    meanings.setdefault(key, set()).add(SAME.get(action.id, action.id))
    assert {key: meant for key, meant in meanings.items() if len(meant) > 1} == OTHERS


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = make(tmp_path / "home", "clock")
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 600), Done(step=600, seconds=9))
    run.exports.mkdir()
    (run.exports / "clock.safetensors").touch()
    return run


async def test_u_tells_how_to_use_it_from_the_list_and_from_the_gallery(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "600/600" in shown(app))
        assert "u Use it" in keys(app)
        for screen in (HomeScreen, GalleryScreen):
            await pilot.press("u")
            await until(pilot, lambda: isinstance(app.screen, UsingScreen))
            assert "ComfyUI" in shown(app)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, screen))  # noqa: B023
            if screen is HomeScreen:
                await pilot.press("g")
                await until(pilot, lambda: isinstance(app.screen, GalleryScreen))


async def test_a_finished_run_is_trained_longer_from_its_monitor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def launch(run: Run, **how: Any) -> None:
        asked.append(run.config().intervals.epochs)

    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    epochs = run.config().intervals.epochs
    app = DbtuiApp(run.home)
    async with app.run_test(size=(80, 24)) as pilot:
        monitor = await opened(app, pilot, run)
        assert "l trains it longer" in shown(app) and "l Longer" in keys(app)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, Asked))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("b")
        await until(pilot, lambda: asked == [epochs * 5 // 4] and app.screen is monitor)
        await settle(pilot)


async def test_q_asks_before_it_leaves_the_program_from_the_list(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "stopped")
        assert "q Leave" in keys(app)
        await pilot.press("q")
        await until(pilot, lambda: "Leave dbtui?" in shown(app))


async def test_the_footer_says_what_r_does_with_what_was_not_trained_and_with_what_waits(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "not started")
        assert "r Start " in keys(app) and "t Demo" in keys(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "r Start " in keys(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "Train clock: where?" in shown(app) and "saved" not in shown(app)
        await pilot.press("escape", "h")
        await looked_at(app, pilot, "not started")
        add(tmp_path, run)
        app.screen.look()  # type: ignore[attr-defined]
        await looked_at(app, pilot, "waits, no. 1")
        assert "r Start now" in keys(app) and "w Queue" in keys(app)


async def test_on_the_last_screen_of_the_wizard_w_is_the_queue_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_wizard(pilot, "review")
        await until(pilot, lambda: "(w)" in shown(app))


async def test_what_was_made_of_the_demos_model_is_drawn_with_here_for_no_other_program_loads_it(
    tmp_path: Path,
) -> None:
    from dbtui.using import lines_of

    run = make(tmp_path / "home", "dog", model__source="demo")
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), Done(step=20, seconds=9))
    run.exports.mkdir()
    (run.exports / "dog.safetensors").touch()
    app = DbtuiApp(run.home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, run)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, UsingScreen))
        said = " ".join(shown(app).split())
        assert "generate dog --prompt" in said and "cannot load it" in said and "models/Stable-diffusion" not in said
        await pilot.press("y")
        assert "generate dog --prompt" in app.clipboard
    lines = lines_of(run, run.exports / "dog.safetensors", run.config(), {})
    assert "generate dog" in lines[1] and not any("webui" in line for line in lines)
