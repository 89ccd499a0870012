"""The learning rate over the run, drawn before it runs, by the function that the trainer obeys."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.config.options import RunConfig
from core.planning.learning import schedule_of
from core.planning.plan import Plan
from core.texts import say
from dbtui.looks import CALM

POINTS = 300
LINE = CALM.primary


class RateCurve(Vertical):
    """A plot that is made when there is first something to plot: it needs numpy."""

    DEFAULT_CSS = """
    RateCurve { height: 9; padding: 0 2; }
    RateCurve Plot { height: 9; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._drawn: tuple[object, ...] | None = None

    def compose(self) -> ComposeResult:
        yield Static(say("curve.unknown", "Known once the pictures are."), markup=False)

    def show(self, config: RunConfig, plan: Plan | None) -> None:
        """Draw the curve of `config` over the plan's steps."""
        if plan is None:
            return
        asked = (config, plan.steps, plan.warmup)
        if asked != self._drawn:
            self._drawn = asked
            self.call_after_refresh(self._draw, *asked)

    async def _draw(self, config: RunConfig, steps: int, warmup: int) -> None:
        from dbtui.widgets.plot import Curve, Plot

        if not self.query(Plot):
            await self.remove_children()
            await self.mount(Plot(allow_pan_and_zoom=False))
        updates = sorted({round(number * (steps - 1) / (POINTS - 1)) for number in range(POINTS)} | {0, warmup})
        updates = [update for update in updates if update < steps]
        schedule = schedule_of(config.learning_rate, steps, warmup)
        rates = [schedule.rate_at(update, config.rate) for update in updates]
        curve = Curve("rate", LINE, [update + 1 for update in updates], rates)
        self.query_one(Plot).draw([curve], first=1, last=max(2, steps))
