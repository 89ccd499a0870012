"""The loss: of each step, smoothed, its two parts (smoothed), and validation on fixed noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.texts import Texts, say
from dbtui.monitor.curves import CurvePane

if TYPE_CHECKING:
    from core.runs.history import History
    from dbtui.widgets.plot import Curve

LINES: tuple[tuple[str, str, bool], ...] = (
    ("loss", "curve--raw", False),
    ("smoothed_prior", "curve--prior", False),
    ("smoothed_instance", "curve--instance", False),
    ("smoothed", "curve--smoothed", False),
    ("validation_prior", "curve--prior-check", True),
    ("validation_instance", "curve--instance-check", True),
)
"""Series, its component class, whether it is drawn as marks. Later ones lie on top."""

LEGEND = Texts("curve", {
    "loss": "raw", "smoothed_prior": "class", "smoothed_instance": "instance", "smoothed": "smoothed",
    "validation_prior": "class validation", "validation_instance": "validation",
})  # fmt: skip
"""What the series are called in the legend."""


class LossPane(CurvePane):
    """Without class pictures `instance` is the same as `smoothed` and is left out."""

    COMPONENT_CLASSES = {component for _, component, _ in LINES}
    DEFAULT_CSS = """
    LossPane .curve--raw { color: $foreground 35%; }
    LossPane .curve--prior { color: $warning; }
    LossPane .curve--instance { color: $primary; }
    LossPane .curve--smoothed { color: $success; text-style: bold; }
    LossPane .curve--prior-check { color: $warning; text-style: bold; }
    LossPane .curve--instance-check { color: $primary; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__("loss")

    @property
    def nothing_yet(self) -> str:
        return say("loss.nothing-yet", "The loss is drawn from the first step on.")

    def curves(self, history: History, columns: int) -> list[Curve]:
        lines = [
            self.curve(history, series, LEGEND[series], columns, component, points=points)
            for series, component, points in LINES
        ]
        prior_is_there = any(line.steps for line in lines if line.component == "curve--prior")
        return [line for line in lines if prior_is_there or line.component != "curve--instance"]
