"""Leaving the monitor while it trains: ended, handed to the background, or stayed with."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.events import Paused
from dbtui.app import DbtuiApp
from dbtui.monitor.leaving import EndingScreen, LeaveDialog, leave_question, stop_question
from dbtui.monitor.log import LogPane
from dbtui.monitor.screen import MonitorScreen
from dbtui.monitor.state import StateLines
from dbtui.widgets.question import Answer, Question
from tests.dbtui import synthetic
from tests.dbtui.app_driving import shown, until
from tests.dbtui.monitor.bench import (
    NARROW,
    Bench,
    SteadyGauge,
    SteadyHandle,
    commands,
    notices,
    screen_text,
    settle,
)
from tests.dbtui.synthetic import SyntheticRun


@pytest.mark.parametrize(
    ("answer", "fields", "code"),
    [("s", {"reason": "user", "discard": False}, 3), ("w", {"reason": "user", "discard": True}, 3)],
)
async def test_leaving_while_it_trains_here_ends_it_as_was_answered(
    owned: SyntheticRun, answer: str, fields: dict[str, Any], code: int
) -> None:
    synthetic.in_training(owned, 20)
    saved = answer == "s"
    if saved:
        (owned.path / "checkpoints" / "step-000010").mkdir(parents=True)
    handle = SteadyHandle()
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
        assert ("the state of step 10 stays" in shown(app)) == saved
        assert ("all is lost" in shown(app)) != saved
        await pilot.press(answer)
        await settle(pilot)
    assert handle.requests == [("stop", fields)]
    assert app.return_value == code
    restart = "clock is stopped, and no state of it was saved: it trains again from step 0. dbtui train clock --resume"
    assert app.last_words == ("clock is stopped. Train on with: dbtui train clock --resume" if saved else restart)


async def test_leaving_for_the_background_says_in_the_terminal_how_to_come_back(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, resume: 4711)
    app = Bench(owned, SteadyHandle())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q", "b")
        await settle(pilot)
        await settle(pilot)
    assert app.return_value == 0
    assert app.last_words == "clock trains on in process 4711. Watch it with: dbtui attach clock"


async def test_staying_leaves_everything_as_it_is(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    handle = SteadyHandle()
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        for key in ("g", "escape"):
            await pilot.press("q")
            await settle(pilot)
            await pilot.press(key)
            await settle(pilot)
            assert app.screen is app.monitor
            assert not any(isinstance(screen, LeaveDialog) for screen in app.screen_stack)
    assert handle.requests == []


async def test_staying_holds_where_another_dialog_came_in_the_same_moment(owned: SyntheticRun) -> None:
    app = Bench(owned, SteadyHandle())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
        leaving = app.screen_stack[-2]
        assert isinstance(leaving, LeaveDialog)
        app.screen.dismiss("stay")
        app.push_screen(Question("Another?", "", [Answer("yes", "y", "Yes")]))
        await settle(pilot)
        await pilot.press("y")
        await until(pilot, lambda: app.screen is app.monitor)


async def test_d_saves_and_hands_over_to_a_process(owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[tuple[Any, bool]] = []

    def launch(run: Any, resume: bool) -> int:
        launched.append((run, resume))
        return 4711

    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    synthetic.in_training(owned, 20)
    handle = SteadyHandle()
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("d")
        await settle(pilot)
        await settle(pilot)
        assert handle.requests == [("stop", {"reason": "background", "discard": False})]
        assert launched == [(owned, True)]
        assert "4711" in notices(app)
        assert app.screen is app.monitor
        assert app.monitor.handle is None


@pytest.mark.parametrize("key", ["d", "q"])
async def test_what_is_paused_here_waits_in_the_other_process_too(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, resume: 4711)
    monkeypatch.setattr("core.runs.commands.send", lambda run, command: asked.append(command))
    synthetic.in_training(owned, 20)
    owned.say(Paused(step=20, time=synthetic.NOON + 900))
    handle = SteadyHandle()
    handle.paused = True
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)
        if key == "q":
            assert "clock is paused in this program" in shown(app) and "Stay and leave it paused" in shown(app)
            await pilot.press("b")
        await until(pilot, lambda: asked)
        await settle(pilot)
        told = app.last_words if key == "q" else notices(app)
        assert "clock is paused in process 4711" in told and "trains on" not in told
    assert asked == ["pause"]


async def test_leaving_what_is_over_needs_no_word(run: SyntheticRun) -> None:
    synthetic.in_training(run, 600)
    synthetic.done(run)
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
    assert app.last_words == ""


async def test_leaving_what_is_paused_elsewhere_says_how_to_come_back(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    owned.say(Paused(step=20, time=synthetic.NOON + 900))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
    assert "clock is paused in process" in app.last_words and "dbtui attach clock" in app.last_words


@pytest.mark.parametrize(
    ("saved", "step", "paused", "words"),
    [
        (20, 20, True, "this step is saved already: nothing is lost"),
        (20, 20, False, "the state of step 20 stays, what came after is lost"),
        (10, 20, False, "the state of step 10 stays, what came after is lost"),
        (0, 20, False, "nothing was saved yet: all is lost"),
        (0, 0, True, "no step was trained yet: nothing is lost"),
        (0, 0, False, "nothing was saved yet: all is lost"),
        (10, 20, True, "Leave it paused"),
    ],
)
def test_before_it_is_stopped_it_says_what_stays_true_while_it_trains_on(
    owned: SyntheticRun, saved: int, step: int, paused: bool, words: str
) -> None:
    if saved:
        (owned.path / "checkpoints" / f"step-{saved:06d}").mkdir(parents=True)
    for question in (stop_question, leave_question):
        answers = question(owned, step=step, paused=paused).answers  # type: ignore[operator]
        said = " ".join(f"{answer.title} {answer.help}" for answer in answers)
        assert words.replace("Leave it", "leave it" if question is leave_question else "Leave it") in said
        assert ("go on training" in said.lower()) is not paused


async def test_a_run_that_came_to_its_end_meanwhile_is_not_started_again(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, resume: pytest.fail("started again"))
    handle = SteadyHandle()
    handle.running = False
    handle.ending = SimpleNamespace(kind="done", exit_code=0)
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        ended: list[bool | None] = []
        app.push_screen(EndingScreen(owned, handle, reason="background"), ended.append)  # type: ignore[arg-type]
        await settle(pilot)
        assert ended == [True]


async def test_what_lies_over_the_ending_is_not_closed_by_it(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, resume: 4711)
    handle = SteadyHandle()
    handle.request = lambda command, **fields: "1"  # type: ignore[method-assign]
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        ended: list[bool | None] = []
        ending = EndingScreen(owned, handle, reason="background")  # type: ignore[arg-type]
        app.push_screen(ending, ended.append)
        await settle(pilot)
        await pilot.press("escape")
        assert app.screen is ending
        over = Question("Something else?", "", [Answer("no", "n", "No")])
        await app.push_screen(over)
        handle.running = False
        await asyncio.sleep(1.2)
        assert app.screen is over and not ended
        over.dismiss(None)
        await asyncio.sleep(1.2)
        await settle(pilot)
        assert ended == [True] and app.screen is app.monitor


async def test_a_hand_over_that_fails_is_said_and_the_run_can_be_resumed_here(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(run: Any, resume: bool) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    app = Bench(owned, SteadyHandle())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("d")
        await settle(pilot)
        await settle(pilot)
        assert "temporarily unavailable" in notices(app) and "r trains on" in notices(app)
        assert app.screen is app.monitor


async def test_leaving_from_another_runs_monitor_asks_about_the_one_that_trains_here(
    owned: SyntheticRun, tmp_path: Path
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=NARROW) as pilot:
        app.training, app.training_run = SteadyHandle(), SyntheticRun(tmp_path, "dog")  # type: ignore[assignment]
        await app.push_screen(MonitorScreen(owned, None, gauge=SteadyGauge()))
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
        assert app.is_running and "dog is training in this program" in screen_text(app)


async def test_leaving_a_run_of_another_process_asks_nothing_and_says_that_it_goes_on(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
    assert app.return_value == 0
    assert not commands(owned)
    assert "clock trains on in process" in app.last_words and "dbtui attach clock" in app.last_words


async def test_a_look_that_ends_while_the_monitor_is_taken_away_finds_nothing_to_draw_on(
    owned: SyntheticRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=NARROW) as pilot:
        monitor = MonitorScreen(owned, None, gauge=SteadyGauge())
        await app.push_screen(monitor)
        await settle(pilot)
        looked: list[bool] = []
        read = monitor._watch.read

        async def slowly(state_lines: StateLines) -> None:
            while not looked:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)

        def read_until_a_part_is_gone(*given: Any) -> Any:
            while monitor.query(LogPane):
                time.sleep(0.001)
            looked.append(bool(monitor.children))
            return read(*given)

        monkeypatch.setattr(StateLines, "on_unmount", slowly, raising=False)
        monkeypatch.setattr(monitor._watch, "read", read_until_a_part_is_gone)
        monitor.look_soon()
        await pilot.pause()
        await app.pop_screen()
        await settle(pilot)
        assert looked == [True]
