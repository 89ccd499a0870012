"""The monitor reads in a thread: whatever the disk does, keys are answered and events keep their order."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from core.events import Warned
from core.runs.journal import JournalTail
from core.runs.lock import RunLock
from dbtui.monitor import looking
from dbtui.monitor.samples import SamplesPane
from tests.dbtui import synthetic
from tests.dbtui.app_driving import until
from tests.dbtui.synthetic import NOON, SyntheticRun
from tests.dbtui.test_monitor import NARROW, Bench, screen_text, settle, surroundings  # noqa: F401 - a fixture


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
    with RunLock(run.lock_path):
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
