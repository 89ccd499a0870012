"""Where every pane is seen at once, the previews have the room they need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.events import Failed
from core.machine import Reading
from dbtui.monitor.machine import drawn, figures
from dbtui.monitor.screen import PANES, ROOM_FOR_ALL
from dbtui.widgets.plot import Plot
from tests.dbtui import synthetic
from tests.dbtui.monitor.bench import VAST, WIDE, Bench, settle
from tests.dbtui.synthetic import SyntheticRun


@pytest.mark.parametrize(("size", "least"), [(WIDE, 19), (VAST, 28)], ids=["120x36", "160x50"])
async def test_a_preview_fills_the_right_side(tmp_path: Path, size: tuple[int, int], least: int) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run)
    app = Bench(run)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert all(app.monitor.query_one(f"#pane-{name}").is_seen for name in PANES)  # type: ignore[attr-defined]
        assert app.monitor.query_one("#pane-samples Picture > *").size.height >= least


async def test_the_subject_and_the_class_beside_it_are_each_large_enough(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run)
    subject = synthetic.preview(run, 260, "a sks clock")
    run.say(subject, replace(subject, prompt="a clock", of_class=True))
    app = Bench(run)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        await settle(pilot)
        drawn = app.monitor.query_one("#pane-samples Picture > *").size
        assert drawn.height >= 12 and drawn.width >= 2 * 24


async def test_under_a_long_notice_every_curve_is_still_drawn(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run)
    run.say(Failed(code="memory.full", message="There is not enough memory. " * 12, step=260))
    app = Bench(run)
    async with app.run_test(size=ROOM_FOR_ALL) as pilot:
        await settle(pilot)
        heights = [plot.size.height for plot in app.monitor.query(Plot)]
        assert len(heights) == 2 and min(heights) >= 4, heights


def test_what_was_not_measured_yet_is_said_to_come() -> None:
    told = drawn(figures(Reading(memory_used=1e9, memory=4e9)), 60).plain.splitlines()
    assert told[0].split() == ["CPU", "…"] and "0%" not in told[0]
    assert figures(Reading()) == []
