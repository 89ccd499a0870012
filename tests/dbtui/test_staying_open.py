"""An app that is open all day: nothing grows by what is opened and closed again, or by time."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest
from textual.pilot import Pilot

from dbtui.app import DbtuiApp
from tests.dbtui.app_driving import shown, until
from tests.dbtui.test_home import a_step, begun, make_run

GROWS = ("Widget", "Footer", "Strip", "StylesCache", "Guidance")


def kept() -> Counter[str]:
    """How many of each kind there are."""
    gc.collect()
    return Counter(kind for one in gc.get_objects() if (kind := type(one).__name__) in GROWS)


async def help_opened_and_closed(pilot: Pilot[int], times: int) -> None:
    for _ in range(times):
        await pilot.press("f1")
        await pilot.pause()
        await pilot.press("f1")
        await pilot.pause()


async def test_what_was_opened_and_closed_is_forgotten(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(), a_step(5))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "clock" in shown(app))
        await help_opened_and_closed(pilot, 5)
        before = kept()
        await help_opened_and_closed(pilot, 10)
        more = kept() - before
        assert sum(more.values()) < 100, more


async def test_the_collector_of_garbage_comes_seldom_while_the_app_is_open_but_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.app.COLLECT_SECONDS", 0.05)
    before, passes = gc.get_threshold(), gc.get_stats()[2]["collections"]
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: gc.get_threshold()[2] >= 1000)
        await until(pilot, lambda: gc.get_stats()[2]["collections"] > passes + 1)
    assert gc.get_threshold() == before
