"""The loss: of each step, smoothed, its two parts (smoothed), and validation on fixed noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbtui.monitor.curves import CurvePane

if TYPE_CHECKING:
    from core.runs.history import History
    from dbtui.widgets.plot import Curve

LINES: tuple[tuple[str, str, str, bool], ...] = (
    ("loss", "raw", "curve--raw", False),
    ("smoothed_prior", "class", "curve--prior", False),
    ("smoothed_instance", "instance", "curve--instance", False),
    ("smoothed", "smoothed", "curve--smoothed", False),
    ("validation_prior", "class validation", "curve--prior-check", True),
    ("validation_instance", "validation", "curve--instance-check", True),
)
"""Series, its name in the legend, its component class, whether it is drawn as marks. Later ones lie on top."""


class LossPane(CurvePane):
    """Without class pictures `instance` is the same as `smoothed` and is left out."""

    title = "Loss"
    nothing_yet = "The loss is drawn from the first step on."
    COMPONENT_CLASSES = {component for _, _, component, _ in LINES}
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

    def curves(self, history: History, columns: int) -> list[Curve]:
        lines = [
            self.curve(history, series, label, columns, component, points=points)
            for series, label, component, points in LINES
        ]
        prior_is_there = any(line.steps for line in lines if line.component == "curve--prior")
        return [line for line in lines if prior_is_there or line.component != "curve--instance"]
