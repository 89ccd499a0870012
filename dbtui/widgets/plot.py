"""A plot over steps: textual-plot with what curves of a training need.

Imported when a curve is first shown: textual-plot brings numpy with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from textual.app import ComposeResult
from textual.containers import Grid
from textual.strip import Strip
from textual_hires_canvas import Canvas, HiResMode
from textual_plot import PlotWidget
from textual_plot.axis_formatter import NumericAxisFormatter
from textual_plot.plot_widget import Legend

from core.texts import number

SMALLEST = (8, 4)
"""Columns and rows of the drawing area under which textual-plot cannot draw its axes."""


@dataclass(frozen=True)
class Curve:
    """One line. `style` as rich spells it; `points` draws marks, for figures that come rarely.

    `component` is the component class that the style came from, `run` says whose it is where there are several.
    """

    label: str
    style: str
    steps: Sequence[float]
    values: Sequence[float | None]
    points: bool = False
    component: str = ""
    run: str = ""


class StepFormatter(NumericAxisFormatter):
    """Whole steps with thousands separators; never half a step, and no two that touch in `width` cells."""

    width = 80

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        ticks = super().get_ticks(min_, max_, max_ticks)
        whole = sorted({float(round(tick)) for tick in ticks if min_ <= round(tick) <= max_})
        label, step = len(f"{round(max_):,}"), (max_ - min_) / self.width
        room = 1.5 * label + 1  # of two, the one at the end stands before its tick, the other around it
        apart = min((after - before for before, after in pairwise(whole)), default=max_)
        if apart >= step * (room if whole and whole[-1] == max_ else label + 1):
            return whole
        power = 10.0 ** math.floor(math.log10(step * room))
        interval = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= step * room)
        return [place * interval for place in range(math.ceil(min_ / interval), math.floor(max_ / interval) + 1)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        return [f"{round(tick):,}" for tick in ticks]


class ValueFormatter(NumericAxisFormatter):
    """Few digits, all of them needed: `0.125`, and `2.5e-6` where a plain number would be zeros.

    `most` ticks fit one above the other.
    """

    most = 8

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        span = max_ - min_
        power = 10.0 ** math.floor(math.log10(span / self.most))
        interval = next(unit * power for unit in (1, 2, 5, 10, 20) if span / (unit * power) <= self.most)
        first = math.ceil(min_ / interval - 1e-9)
        return [place * interval for place in range(first, math.floor(max_ / interval + 1e-9) + 1)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        largest = max((abs(tick) for tick in ticks), default=0.0)
        if largest and not 1e-3 <= largest < 1e5:
            return [number(tick, ".2g") if tick else "0" for tick in ticks]
        spacing = ticks[1] - ticks[0] if len(ticks) > 1 else largest / 10 or 1.0
        decimals = max(0, -math.floor(math.log10(spacing) + 1e-9))
        return [f"{tick:.{decimals}f}" for tick in ticks]


class Area(Canvas):
    """A canvas whose lines all have a style: what takes the colours away under NO_COLOR breaks on one without."""

    def render_line(self, y: int) -> Strip:
        line = super().render_line(y)
        return line if line.cell_length else Strip.blank(self.size.width, self.rich_style)


class Plot(PlotWidget, can_focus=False):
    """Curves over steps, without a frame of its own for the legend; the pane names the lines."""

    DEFAULT_CSS = """
    Plot { height: 1fr; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._steps = StepFormatter()
        self.set_x_formatter(self._steps)
        self._values = ValueFormatter()
        self.set_y_formatter(self._values)
        self.zoomed = False
        self._usual = self._whole = (0.0, 1.0, 0.0, 1.0)
        """First and last step, lowest and highest value: of what is shown until somebody zooms, and of all there is."""

    def compose(self) -> ComposeResult:
        with Grid():
            for part in ("margin-top", "margin-left", "plot", "margin-bottom"):
                yield Area(1, 1, id=part)
        yield Legend(id="legend")

    def on_mount(self) -> None:
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 9

    def draw(self, curves: Iterable[Curve], *, first: float, last: float, end: float = 0.0) -> None:
        """Show `curves` from step `first` to `last`; values that are no numbers are left out. Zooming out shows what
        there is up to step `end`, too.

        A zoom that the person made stays until it is taken back, and goes on with the newest step where that is seen.
        """
        drawn = [_finite(curve) for curve in curves]
        self.clear()
        low, high = limits([value for curve in drawn for value in curve.values])
        last = max(last, first + 1)
        newer = last - self._usual[1]
        self._usual, self._whole = (first, last, low, high), (first, max(last, end), low, high)
        if not self.zoomed:
            self.set_xlimits(first, last)
            self.set_ylimits(low, high)
        elif newer > 0 and self._x_min <= last - newer <= self._x_max < last:
            self._x_min, self._x_max = self._x_min + last - self._x_max, last
        for curve in drawn:
            if curve.points:
                self.scatter(curve.steps, curve.values, marker="◆", marker_style=curve.style)
            elif len(curve.steps) == 1:
                self.scatter(curve.steps, curve.values, marker="•", marker_style=curve.style)
            elif curve.steps:
                self.plot(curve.steps, curve.values, line_style=curve.style, hires_mode=HiResMode.BRAILLE)

    def zoom(self, direction: int) -> None:
        """1 nearer, -1 farther (both along the steps), 0 as it was. Whoever sees the newest step goes on seeing it."""
        if direction == 0:
            self.zoomed = False
        elif direction > 0:
            newest = self._usual[1]
            is_seen = self._x_min <= newest <= self._x_max
            self.action_zoom_x_in()
            if is_seen:
                moved = max(0.0, newest - self._x_max) - max(0.0, self._x_min - newest)
                self._x_min, self._x_max = self._x_min + moved, self._x_max + moved
        else:
            self.action_zoom_x_out()

    def action_reset_scales(self) -> None:
        """Two clicks: all there is, with the next drawing."""
        super().action_reset_scales()
        self.zoomed = False

    def _zoom(self, *args: Any, **options: Any) -> None:
        super()._zoom(*args, **options)
        self._stay_within()

    def _pan(self, factor_x: float, factor_y: float) -> None:
        super()._pan(factor_x, factor_y)
        self._stay_within()

    def _stay_within(self) -> None:
        """No farther than all there is; what shows what is shown anyway grows with it again."""
        first, last, low, high = self._whole
        self._x_min, self._x_max = _within(self._x_min, self._x_max, first, last)
        self._y_min, self._y_max = _within(self._y_min, self._y_max, low, high)
        self.zoomed = (self._x_min, self._x_max, self._y_min, self._y_max) != self._usual

    def on_canvas_resize(self) -> None:
        """The drawing areas get their sizes after the first drawing; textual-plot waits for the next one then."""
        self._needs_canvas_resize = True
        self._rerender()

    def _render_plot(self) -> None:
        canvas = self.query_one("#plot", Canvas)
        if canvas.size.width < SMALLEST[0] or canvas.size.height < SMALLEST[1]:
            return
        self._values.most = max(2, canvas.size.height // 3)
        self._steps.width = canvas.size.width
        with ExitStack() as batch:
            for part in self.query(Canvas):
                batch.enter_context(part.batch_refresh())
            super()._render_plot()
            frame, style = self._scale_rectangle, str(self.get_component_rich_style("plot--axis"))
            corners = ((0, 0, "┏"), (frame.right, 0, "┓"), (0, frame.bottom, "┗"), (frame.right, frame.bottom, "┛"))
            for x, y, corner in corners:  # a tick there would make a cross of it
                canvas.set_pixel(x, y, corner, style=style)


def limits(values: Sequence[float | None]) -> tuple[float, float]:
    """The lowest and highest value to show: all of them with a little room, a band around a constant one."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return 0.0, 1.0
    low, high = min(numbers), max(numbers)
    room = (high - low) * 0.05 or abs(high) * 0.1 or 0.5
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def _within(start: float, end: float, first: float, last: float) -> tuple[float, float]:
    """`start` to `end`, moved into `first` to `last` as far as it has to be, and cut off where it is longer."""
    if end - start >= last - first:
        return first, last
    moved = max(first, start) - start or min(last, end) - end
    return start + moved, end + moved


def _finite(curve: Curve) -> Curve:
    pairs = [
        (step, value)
        for step, value in zip(curve.steps, curve.values, strict=True)
        if value is not None and math.isfinite(value)
    ]
    return replace(curve, steps=[step for step, _ in pairs], values=[value for _, value in pairs])
