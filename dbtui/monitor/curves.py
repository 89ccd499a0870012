"""A pane with curves: the plot is made when it is first seen, a line above it names the curves."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from core.texts import headed
from dbtui.monitor.pane import Pane

if TYPE_CHECKING:
    from core.runs.history import History
    from dbtui.widgets.plot import Curve, Plot

FEWEST_COLUMNS = 20


class CurvePane(Pane):
    """Subclasses say which curves; `nothing_yet` stands there before the first step."""

    _drawn: tuple[object, ...] = ()
    _named: tuple[object, ...] = ()
    _made: Plot | None = None
    _is_ready = False

    @property
    def nothing_yet(self) -> str:
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        yield Static(self.nothing_yet, classes="legend", markup=False)

    def curves(self, history: History, columns: int) -> list[Curve]:
        """The curves of `history`, thinned to `columns`; those that lie on top come last."""
        raise NotImplementedError

    def behind(self) -> tuple[str, int] | None:
        """What else is drawn, and up to which step; the drawing is made anew when that changes."""
        return None

    def curve(
        self, history: History, series: str, label: str, columns: int, style: str, *, points: bool = False
    ) -> Curve:
        """One series of `history` in the colour of the component class `style`."""
        from dbtui.widgets.plot import Curve

        steps, values = history.series(series, columns)
        return Curve(label, str(self.get_component_rich_style(style)), steps, values, points, style)

    async def draw(self, history: History) -> None:
        if not history.has_points and self.behind() is None:
            self._drawn = self._named = ()
            self.query_one(".legend", Static).update(self.nothing_yet)
            if self._made is not None:
                self._made.display = False
            return
        plot = await self._plot()
        if plot is None:
            return
        plot.display = True
        columns, behind = max(FEWEST_COLUMNS, self.content_size.width), self.behind()
        drawn = (history.step, history.last_step, history.last_validation, columns, plot.zoomed, behind)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        curves = [curve for curve in self.curves(history, columns) if curve.steps]
        if self._named != (named := (columns, *((curve.run, curve.label) for curve in curves))):
            self._named = named
            self.query_one(".legend", Static).update(self._legend(curves))
        end = max(history.step, behind[1] if behind else 0)
        last = history.step if history.has_points else end
        plot.draw(curves, first=min((curve.steps[0] for curve in curves), default=0), last=last, end=end)

    async def zoom(self, direction: int, history: History) -> None:
        """1 nearer, -1 farther, 0 the whole curve."""
        if self.is_seen and self._made is not None and self._made.display:
            plot = await self._plot()
            if plot is not None:
                plot.zoom(direction)
                await self.tell(history)

    async def _plot(self) -> Plot | None:
        """The plot, made if need be; `None` while another call is making it (textual-plot is emptied when mounted)."""
        from dbtui.widgets.plot import Plot

        if self._made is None:
            self._made = Plot()
            await self.mount(self._made)
            self._is_ready = True
        return self._made if self._is_ready else None

    def _legend(self, curves: list[Curve]) -> Content:
        """The mark and the name of each curve in its colour, those on top first, each run's on lines of their own under
        its name; a line ends between two curves.
        """
        lines: list[Content] = []
        for run, part_of in groupby(reversed(curves), key=lambda curve: curve.run):
            lines.append(Content(headed(run, "").rstrip() if run else ""))
            for curve in part_of:
                style = self.get_visual_style(curve.component)
                part = Content.styled(f"{'◆' if curve.points else '━'} {curve.label}", style)
                if lines[-1].plain and lines[-1].cell_length + 2 + part.cell_length > self.content_size.width:
                    lines.append(part)
                else:
                    lines[-1] = lines[-1] + "  " + part if lines[-1].plain else part
        return Content("\n").join(lines)
