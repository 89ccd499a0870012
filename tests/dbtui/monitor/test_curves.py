"""Curves of the monitor: which stretch of them is shown."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from dbtui.looks import THEMES
from dbtui.monitor.loss import LossPane
from dbtui.monitor.rate import RatePane
from dbtui.widgets.plot import Plot, StepFormatter, _within
from tests.dbtui import synthetic
from tests.dbtui.monitor.bench import NARROW, Bench, settle
from tests.dbtui.synthetic import SyntheticRun


async def test_zooming_out_ends_at_the_run_and_the_curve_grows_with_it_again(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run, 200)
    app = Bench(run)
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await pilot.press("1")
            await settle(pilot)
            plot = app.monitor.query_one(Plot)
            await pilot.press("-", "-")
            await settle(pilot)
            assert (plot._x_min, plot._x_max, plot.zoomed) == (1, 200, False)
            await pilot.press("+", "+")
            await settle(pilot)
            assert plot.zoomed and plot._x_min > 1 and plot._x_max < 200
            plot._pan(1e6, 0)
            assert plot._x_min == 1 and plot.zoomed
            await pilot.press("-", "-", "-")
            run.say(*synthetic.steps(201, 260))
            await app.monitor.look()
            await settle(pilot)
            assert (plot._x_min, plot._x_max) == (1, 260)


@pytest.mark.parametrize(
    ("seen", "shown"),
    [((2.0, 5.0), (2.0, 5.0)), ((-2.0, 3.0), (0.0, 5.0)), ((8.0, 12.0), (6.0, 10.0)), ((-5.0, 20.0), (0.0, 10.0))],
)
def test_a_stretch_is_moved_before_it_is_cut(seen: tuple[float, float], shown: tuple[float, float]) -> None:
    assert _within(*seen, 0.0, 10.0) == shown


@pytest.mark.parametrize("looks", ["dark", "light"])
async def test_without_colours_curves_are_told_apart_by_their_brightness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run, 20)
    app = Bench(run)
    app.register_theme(THEMES[looks])
    app.theme = THEMES[looks].name
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        for kind, curves in (
            (LossPane, ("raw", "other", "prior", "instance", "smoothed")),
            (LossPane, ("raw", "other-check", "prior-check", "instance-check", "smoothed")),
            (RatePane, ("rate", "text-encoder")),
        ):
            pane = app.monitor.query_one(kind)
            styles = [pane.get_component_rich_style(f"curve--{curve}") for curve in curves]
            bright = sorted(sum(style.color.get_truecolor()) / 3 for style in styles if style.color is not None)
            assert min(after - before for before, after in pairwise(bright)) > 20, (kind, bright)


@pytest.mark.parametrize("width", [30, 47, 60, 100])
@pytest.mark.parametrize("last", [2, 12, 600, 1200, 99_999, 1_300_000, 100_000_000])
@pytest.mark.parametrize("first", [0, 1])
def test_no_two_numbers_of_steps_touch(width: int, last: int, first: int) -> None:
    formatter = StepFormatter()
    formatter.width = width
    ticks = formatter.get_ticks(first, last)
    ends = 0.0
    for tick, label in zip(ticks, formatter.get_labels_for_ticks(ticks), strict=True):
        place = (tick - first) / (last - first) * width
        begins = place - (len(label) - 1 if tick == last else len(label) / 2)
        assert tick == ticks[0] or begins > ends
        ends = begins + len(label)
    assert ticks and all(tick == round(tick) and first <= tick <= last for tick in ticks)
