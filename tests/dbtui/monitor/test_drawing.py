"""The monitor's curves are drawn whatever the figures are, and stay what they are when a run goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.events import Stopped
from dbtui.monitor.loss import LossPane
from dbtui.widgets.plot import Plot
from tests.dbtui import synthetic
from tests.dbtui.monitor.bench import (
    NARROW,
    Bench,
    look,
    screen_text,
    settle,
)
from tests.dbtui.synthetic import NOON, SyntheticRun


async def test_curves_are_drawn_without_colours(owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        assert "┫" in screen_text(app)


async def test_a_pane_that_was_not_laid_out_when_it_was_told_is_drawn_as_soon_as_it_is_seen(
    owned: SyntheticRun,
) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("4")
        await settle(pilot)
        assert "┫" not in screen_text(app)
        for part in ("#upper", "#left", "#pane-loss"):
            app.monitor.query_one(part).display = True
        await settle(pilot)
        assert "┫" in screen_text(app)


@pytest.mark.parametrize("losses", [[], [0.1], [0.1, 0.2], [0.1] * 40, [0.1, None, 0.3], [None]])
async def test_few_constant_and_missing_values_are_drawn(owned: SyntheticRun, losses: list[float | None]) -> None:
    owned.say(synthetic.started())
    for number, loss in enumerate(losses, 1):
        owned.say(
            synthetic.step(number, prior=False, loss=loss)
            if loss is not None
            else replace(synthetic.step(number, prior=False), loss=None, instance_loss=None, skipped=True)
        )
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        drawn = screen_text(app)
        if [loss for loss in losses if loss is not None]:
            assert any("\u2800" < character <= "\u28ff" or character == "•" for character in drawn)


async def test_a_long_run_is_drawn_with_at_most_two_points_a_column(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 3000)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        await look(app, pilot)
        plot = app.monitor.query_one(Plot)
        assert plot._datasets
        assert max(len(dataset.x) for dataset in plot._datasets) <= 2 * 80


async def test_the_curve_up_to_where_a_run_goes_on_stays_and_has_its_legend(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 150)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        owned.say(Stopped(step=150, saved=False, time=NOON), synthetic.started(resumed_from=100))
        for last in (100, 104):
            owned.say(*synthetic.steps(101, last))
            await look(app, pilot)
            assert "━ average" in screen_text(app) and "once a step is trained" not in screen_text(app)
            plot = app.monitor.query_one(LossPane).query_one(Plot)
            assert (plot._x_min, plot._x_max) == (1, last)


async def test_where_a_run_begins_anew_the_curve_of_before_goes_until_there_is_a_step(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 90)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        owned.say(Stopped(step=90, saved=False, time=NOON), synthetic.started())
        await look(app, pilot)
        plot = app.monitor.query_one(LossPane).query_one(Plot)
        assert "once a step is trained" in screen_text(app) and not plot.display
        owned.say(*synthetic.steps(1, 4))
        await look(app, pilot)
        assert "━ average" in screen_text(app) and plot.display
        assert (plot._x_min, plot._x_max) == (1, 4)
