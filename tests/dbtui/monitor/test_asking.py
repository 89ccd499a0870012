"""What the monitor's keys ask of the trainer, and what stands there until it answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.events import Checkpoint, Continued, Paused, Phase, Stopped, Warned
from core.runs.history import History
from core.runs.lock import RunLock, owner
from dbtui.monitor.state import glance, progress_line
from dbtui.widgets.question import Question
from tests.dbtui import synthetic
from tests.dbtui.app_driving import until
from tests.dbtui.monitor.bench import (
    NARROW,
    Bench,
    commands,
    look,
    notices,
    screen_text,
    settle,
)
from tests.dbtui.synthetic import NOON, SyntheticRun


@pytest.mark.parametrize(("key", "command"), [("p", "pause"), ("s", "sample"), ("c", "save")])
async def test_keys_write_commands(owned: SyntheticRun, key: str, command: str) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press(key)
        assert [asked["command"] for asked in commands(owned)] == [command]


async def test_p_continues_a_paused_run_and_answers_are_told(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("p")
        owned.say(Paused(step=20, id=commands(owned)[-1]["id"], time=NOON))
        await look(app, pilot)
        assert "‖ paused" in screen_text(app)
        assert "Paused at step 20" in notices(app)
        assert [notice.timeout for notice in app._notifications] == [3], "the log has it too, and it covers the preview"
        await pilot.press("p")
        assert commands(owned)[-1]["command"] == "continue"
        owned.say(Continued(step=20, id=commands(owned)[-1]["id"], time=NOON))
        await look(app, pilot)
        assert "Went on at step 20" in notices(app)


async def test_what_was_made_when_asked_is_told_in_few_words_that_stay_to_be_read(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        for key, told in (("c", "Saved at step 20."), ("s", "Previews of step 20 are made.")):
            await pilot.press(key)
            id_ = commands(owned)[-1]["id"]
            saved = Checkpoint(step=20, path="checkpoints/step-000020", bytes=9, seconds=1.0, id=id_, time=NOON)
            drawn = replace(synthetic.preview(owned, 20, "a sks dog"), id=id_)
            owned.say(saved if key == "c" else drawn)
            await look(app, pilot)
            (notice,) = app._notifications
            assert (notice.message, notice.timeout) == (told, 7)
            app.clear_notifications()


async def test_what_was_asked_stands_at_the_top_until_it_is_answered(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("p")
        await settle(pilot)
        assert "pause asked" in screen_text(app) and "p Continue" in screen_text(app)
        owned.say(Paused(step=20, id=commands(owned)[-1]["id"], time=NOON))
        await look(app, pilot)
        assert "pause asked" not in screen_text(app) and "pictures/s" not in screen_text(app)


def test_while_nothing_else_moves_the_seconds_do(owned: SyntheticRun) -> None:
    history = History()
    history.observe(replace(owner(owned.lock_path), started=NOON))  # type: ignore[type-var]
    assert "loading the libraries, 9 s" in progress_line(glance("clock", history, now=NOON + 9), 80).plain
    history.add([synthetic.started(), Phase(name="loading", time=NOON + 10)])
    assert "loading the model, 3 s" in progress_line(glance("clock", history, now=NOON + 13), 80).plain


async def test_seconds_count_while_it_loads_though_the_next_redraw_is_far_off(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        app.monitor.pace.is_due = lambda now: False  # type: ignore[method-assign]
        held = app.monitor.history.owner
        assert held is not None
        for seconds in (5, 6):
            monkeypatch.setattr("dbtui.monitor.screen.time.time", lambda then=held.started + seconds: then)
            app.monitor._ticks = 0
            app.monitor._tick()
            await pilot.pause()
            assert f"loading the libraries, {seconds} s" in screen_text(app)


async def test_how_to_train_on_is_not_told_any_more_once_it_loads_though_the_line_is_slow(
    run: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.stopped(run)
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert "trains on from step" in screen_text(app)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        monkeypatch.setattr(app._driver, "is_behind", True, raising=False)
        with RunLock(run.lock_path):
            await pilot.press("escape")
            await until(pilot, lambda: "► loading" in screen_text(app))
            assert "trains on from step" not in screen_text(app)


def test_a_run_that_is_loaded_again_does_not_show_the_pace_of_its_life_before(owned: SyntheticRun) -> None:
    history = History()
    history.add([synthetic.started(), *synthetic.steps(1, 20), Stopped(step=20, saved=True, time=NOON)])
    history.observe(replace(owner(owned.lock_path), started=NOON + 60))  # type: ignore[type-var]
    seen = glance("clock", history, now=NOON + 62)
    assert "loading the libraries" in progress_line(seen, 80).plain
    assert seen.images_per_second == 0 and seen.seconds_left is None


async def test_p_twice_before_the_answer_takes_the_pause_back(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("p", "p")
        assert [asked["command"] for asked in commands(owned)] == ["pause", "continue"]


async def test_a_refusal_is_told(owned: SyntheticRun) -> None:
    owned.say(synthetic.started(), Phase(name="loading", time=NOON))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("s")
        owned.say(Warned(code="command.too-early", message="Nothing to sample yet.", id=commands(owned)[-1]["id"]))
        await look(app, pilot)
        assert "Nothing to sample yet." in notices(app)


@pytest.mark.parametrize(("answer", "discard"), [("s", False), ("w", True)])
async def test_stop_asks_first(owned: SyntheticRun, answer: str, discard: bool) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert isinstance(app.screen, Question)
        assert not commands(owned)
        await pilot.press(answer)
        await settle(pilot)
        (asked,) = commands(owned)
        assert (asked["command"], asked["discard"]) == ("stop", discard)


async def test_going_on_from_the_stop_question_asks_nothing(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        for key in ("g", "escape"):
            await pilot.press("x")
            await settle(pilot)
            await pilot.press(key)
            await settle(pilot)
            assert app.screen is app.monitor
        assert not commands(owned)


async def test_a_run_that_has_told_its_end_is_watched_until_its_process_has_gone(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.monitor.screen.TICK_SECONDS", 3600)
    owned.say(synthetic.started(), *synthetic.steps(1, 5), Stopped(step=5, saved=True, time=NOON + 9))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert app.monitor.history.state == "stopped" and app.monitor.history.owner is not None
        seen: list[int] = []
        app.monitor.look_soon = lambda: seen.append(1)  # type: ignore[method-assign]
        app.monitor.pace.is_due = lambda now: True  # type: ignore[method-assign]
        for _ in range(3):
            app.monitor._tick()
        assert len(seen) == 3
