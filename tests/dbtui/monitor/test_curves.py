"""Curves of the monitor: which stretch of them is shown."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from dbtui.looks import CALM, CALM_LIGHT, THEMES
from dbtui.monitor.curves import CurvePane
from dbtui.monitor.loss import LossPane
from dbtui.monitor.rate import RatePane
from dbtui.widgets.plot import Plot, StepFormatter, _within
from tests.dbtui import synthetic
from tests.dbtui.app_driving import until
from tests.dbtui.monitor.bench import NARROW, Bench, screen_text, settle
from tests.dbtui.synthetic import SyntheticRun


async def test_zooming_out_ends_at_the_run_and_the_curve_grows_with_it_again(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run, 200)
    app = Bench(run)
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await pilot.press("1")
            await until(pilot, lambda: app.monitor.query(Plot))
            await settle(pilot)
            plot = app.monitor.query_one(Plot)
            await pilot.press("-", "-")
            await settle(pilot)
            assert (plot._x_min, plot._x_max, plot.zoomed) == (1, 200, False)
            await pilot.press("+", "+")
            await settle(pilot)
            assert plot.zoomed and plot._x_min > 1 and plot._x_max == 200, "the newest step stays in sight"
            plot._pan(1e6, 0)
            assert plot._x_min == 1 and plot.zoomed and plot._x_max < 200
            await pilot.press("-", "-", "-")
            run.say(*synthetic.steps(201, 260))
            await app.monitor.look()
            await settle(pilot)
            assert (plot._x_min, plot._x_max) == (1, 260)


async def test_the_frame_has_corners_where_a_tick_falls_on_one_too(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    run.say(synthetic.started(), *synthetic.steps(1, 201))
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: app.monitor.query(Plot))
        await settle(pilot)
        plot = app.monitor.query_one(Plot)
        plot._whole = plot._usual = (1.0, 201.0, 0.0, 0.4)
        plot.zoomed = True
        for first, last in ((50, 200), (100, 150), (0, 200)):
            plot._x_min, plot._x_max, plot._y_min, plot._y_max = first, last, 0.0, 0.4
            plot._rerender()
            await settle(pilot)
            rows = [row.strip() for row in screen_text(app).splitlines()]
            top, bottom = (next(row for row in rows if mark in row).split()[-1] for mark in "┻┳")
            assert top[0] + top[-1] == "┏┓" and bottom[0] + bottom[-1] == "┗┛", (top, bottom)


async def test_a_stretch_that_shows_the_newest_step_goes_on_with_it(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run, 200)
    app = Bench(run)
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await pilot.press("1")
            await until(pilot, lambda: app.monitor.query(Plot))
            await settle(pilot)
            await pilot.press("+", "+")
            await settle(pilot)
            plot = app.monitor.query_one(Plot)
            span = plot._x_max - plot._x_min
            run.say(*synthetic.steps(201, 230))
            await app.monitor.look()
            await settle(pilot)
            assert plot._x_max == 230 and plot._x_max - plot._x_min == pytest.approx(span)


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


@pytest.mark.parametrize("theme", [CALM, CALM_LIGHT], ids=["dark", "light"])
async def test_without_colours_every_curve_stands_out_from_its_ground(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch, theme: Theme
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    synthetic.in_training(owned)
    app = Bench(owned)
    app.register_theme(CALM_LIGHT)
    app.theme = theme.name
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        for pane in app.screen.query(CurvePane):
            for name in pane.COMPONENT_CLASSES:
                if name.startswith("curve--"):
                    ground, colour = pane.background_colors[1], pane.get_component_styles(name).color
                    lighter, darker = sorted((luminance(ground), luminance(ground + colour)), reverse=True)
                    assert (lighter + 0.05) / (darker + 0.05) >= 3, name


def luminance(colour: Color) -> float:
    """Relative, as the guidelines for contrast have it."""
    parts = [part / 255 for part in colour.rgb]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
