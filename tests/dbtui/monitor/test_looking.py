"""The monitor reads in a thread: whatever the disk does, keys are answered and events keep their order."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.events import Checkpoint, Stopped, Warned
from core.runs.history import History
from core.runs.journal import JournalTail
from core.runs.lock import RunLock, owner
from dbtui.monitor import looking
from dbtui.monitor.samples import SamplesPane
from dbtui.monitor.state import glance
from tests.dbtui import synthetic
from tests.dbtui.app_driving import until
from tests.dbtui.monitor.bench import NARROW, Bench, screen_text, settle
from tests.dbtui.synthetic import NOON, SyntheticRun


@pytest.mark.parametrize("slow", ["lock", "journal"])
async def test_a_slow_disk_holds_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run, 120)
    app = Bench(run)
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(*given: Any) -> Any:
        hangs.set()
        goes_on.wait(20)
        return real(*given)

    real: Any = looking.owner if slow == "lock" else JournalTail.poll
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await settle(pilot)
            if slow == "lock":
                monkeypatch.setattr(looking, "owner", hang)
            else:
                monkeypatch.setattr(JournalTail, "poll", hang)
            run.say(*synthetic.steps(121, 130))
            await until(pilot, hangs.is_set)
            try:
                await asyncio.wait_for(pilot.press("4", "3", "p"), 5)
                await pilot.pause()
                assert app.monitor.query_one(SamplesPane).is_seen
                assert "pause asked" in screen_text(app)
                assert app.monitor.history.step == 120
            finally:
                goes_on.set()
            await until(pilot, lambda: app.monitor.history.step == 130)


async def test_looks_at_the_same_time_take_each_event_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.journal.PIECE", 4096)
    run = SyntheticRun(tmp_path, "clock")
    run.say(synthetic.started())
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        taken: list[str] = []
        monkeypatch.setattr(app.monitor.history, "add", lambda events: taken.extend(event.code for event in events))
        run.say(*(Warned(code=str(number), message="x" * 200, time=NOON) for number in range(100)))
        await asyncio.gather(*(app.monitor.look() for _ in range(4)))
        assert taken == [str(number) for number in range(100)]


async def test_what_was_read_for_a_screen_that_is_gone_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SyntheticRun(tmp_path, "clock")
    run.say(synthetic.started())
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        hangs, goes_on = threading.Event(), threading.Event()
        real = JournalTail.poll

        def hang(tail: JournalTail) -> Any:
            hangs.set()
            goes_on.wait(20)
            return real(tail)

        monkeypatch.setattr(JournalTail, "poll", hang)
        run.say(*synthetic.steps(1, 5))
        looks = asyncio.create_task(app.monitor.look())
        await until(pilot, hangs.is_set)
        await app.pop_screen()
        goes_on.set()
        await looks
        assert app.monitor.history.step == 0


async def test_the_previews_come_first_once_there_are_any_unless_another_pane_was_chosen(tmp_path: Path) -> None:
    for chosen in (False, True):
        run = SyntheticRun(tmp_path, f"clock-{chosen}")
        run.say(synthetic.started(), *synthetic.steps(1, 5))
        app = Bench(run)
        async with app.run_test(size=NARROW) as pilot:
            await settle(pilot)
            assert "[1 Loss]" in screen_text(app)
            if chosen:
                await pilot.press("2", "1")
            run.say(synthetic.preview(run, 5, "a photo of sks clock"))
            await app.monitor.look()
            await settle(pilot)
            assert ("[1 Loss]" if chosen else "[3 Previews]") in screen_text(app)
            assert ("a photo of sks clock" in screen_text(app)) is not chosen


@pytest.mark.parametrize("was_killed", [True, False])
def test_a_run_that_begins_anew_does_not_show_the_step_of_its_life_before(tmp_path: Path, was_killed: bool) -> None:
    run = SyntheticRun(tmp_path, "clock")
    history = History()
    history.add([synthetic.started(), *synthetic.steps(1, 35)])
    if not was_killed:
        history.add([Stopped(step=35, saved=False, time=NOON + 200)])
    with RunLock(run.lock_path):
        history.observe(owner(run.lock_path))
        told = glance("clock", history, now=NOON + 300)
        assert (told.state, told.step, told.total, told.loss) == ("loading", 0, 0, None)
        history.add([replace(synthetic.started(), time=time.time() + 1)])
        assert (glance("clock", history, now=NOON + 300).total, history.step) == (600, 0)


def test_a_run_that_begins_anew_goes_on_from_its_newest_state_and_else_from_nothing(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    for saved in ([], [Checkpoint(step=20, path="checkpoints/step-000020", bytes=1, seconds=0.1)]):
        history = History()
        history.add([synthetic.started(), *synthetic.steps(1, 35), *saved])
        with RunLock(run.lock_path):
            history.observe(owner(run.lock_path))
        assert history.step == (20 if saved else 0)


async def test_what_was_stopped_and_not_saved_stands_at_what_is_kept_of_it(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    run.say(synthetic.started(), *synthetic.steps(1, 65), Stopped(step=65, saved=False, time=NOON + 200))
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        text = " ".join(screen_text(app).split())
        assert "Stopped at step 65 and not saved: r begins again at step 0" in text
        assert "step 0/600" in text and " 0%" in text
        assert not any(word in text for word in ("epoch", "loss 0", "memory")), "those are of the step that is lost"


@pytest.mark.parametrize(("saved", "is_lost"), [(60, True), (65, False)])
async def test_what_is_saved_at_the_step_where_it_stopped_is_not_said_to_be_lost(
    tmp_path: Path, saved: int, is_lost: bool
) -> None:
    run = SyntheticRun(tmp_path, "clock")
    state = Checkpoint(step=saved, path=f"checkpoints/step-{saved:06d}", bytes=1, seconds=0.1, time=NOON + 190)
    run.say(synthetic.started(), *synthetic.steps(1, 65), state, Stopped(step=65, saved=False, time=NOON + 200))
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        text = " ".join(screen_text(app).split())
        assert ("was not kept" in text) is is_lost and f"r trains on from step {saved}" in text


async def test_whoever_waits_to_look_finds_the_screen_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.stopped(run)
    app = Bench(run)
    hangs, goes_on = threading.Event(), threading.Event()
    real = JournalTail.poll

    def hang(tail: JournalTail) -> Any:
        hangs.set()
        goes_on.wait(20)
        return real(tail)

    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        monkeypatch.setattr(JournalTail, "poll", hang)
        app.monitor.look_soon()
        await until(pilot, hangs.is_set)
        waits = app.run_worker(app.monitor.look(), exit_on_error=False)
        await asyncio.sleep(0.1)
        await app.pop_screen()
        goes_on.set()
        await until(pilot, lambda: waits.is_finished)
        assert waits.error is None
