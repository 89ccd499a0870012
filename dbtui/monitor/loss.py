"""The loss: of each step, smoothed, its two parts (smoothed), and validation on fixed noise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.texts import Texts, say
from dbtui.monitor.curves import CurvePane
from dbtui.safe import safe

if TYPE_CHECKING:
    from core.runs.history import History
    from dbtui.monitor.overlay import Overlay
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
    "loss": "each step", "smoothed_prior": "class", "smoothed_instance": "yours", "smoothed": "average",
    "validation_prior": "class validation", "validation_instance": "validation",
})  # fmt: skip
"""What the series are called in the legend."""


class LossPane(CurvePane):
    """Without class pictures the average of yours is that of all, and is left out."""

    COMPONENT_CLASSES = {component for _, component, _ in LINES} | {"curve--other", "curve--other-check"}
    DEFAULT_CSS = """
    LossPane .curve--other { color: $curve-other; }
    LossPane .curve--other-check { color: $curve-other; text-style: bold; }
    LossPane .curve--raw { color: $foreground 35%; }
    LossPane .curve--prior { color: $warning; }
    LossPane .curve--instance { color: $primary; }
    LossPane .curve--smoothed { color: $success; text-style: bold; }
    LossPane .curve--prior-check { color: $warning; text-style: bold; }
    LossPane .curve--instance-check { color: $primary; text-style: bold; }
    LossPane:nocolor .curve--raw { color: $foreground 50%; }
    LossPane:nocolor .curve--prior, LossPane:nocolor .curve--prior-check { color: $foreground 73%; }
    LossPane:nocolor .curve--instance, LossPane:nocolor .curve--instance-check { color: $foreground 86%; }
    LossPane:nocolor .curve--smoothed { color: $foreground; }
    LossPane:nocolor .curve--other, LossPane:nocolor .curve--other-check { color: $foreground 61%; }
    """

    def __init__(self, run: str) -> None:
        super().__init__("loss")
        self._run = run
        self.overlay: Overlay | None = None
        """Another run, drawn behind."""

    @property
    def nothing_yet(self) -> str:
        return say("loss.nothing-yet", "The loss is drawn here once a step is trained.")

    def behind(self) -> tuple[str, int] | None:
        return None if self.overlay is None else (self.overlay.name, self.overlay.history.step)

    def curves(self, history: History, columns: int) -> list[Curve]:
        lines = [
            self.curve(history, series, LEGEND[series], columns, component, points=points)
            for series, component, points in LINES
        ]
        if self.overlay is not None:
            this = say("overlay.this", "{name} (this run)", name=safe(self._run))
            lines = [replace(line, run=this) for line in lines]
        prior_is_there = any(line.steps for line in lines if line.component == "curve--prior")
        return self._others(columns) + [line for line in lines if prior_is_there or line.component != "curve--instance"]

    def _others(self, columns: int) -> list[Curve]:
        """The smoothed loss of the other run and its validation."""
        if self.overlay is None:
            return []
        history, whose = self.overlay.history, say("overlay.behind", "{name} (behind)", name=safe(self.overlay.name))
        found = [
            self.curve(history, "smoothed", LEGEND["smoothed"], columns, "curve--other"),
            self.curve(history, "validation_instance", LEGEND["validation_instance"], columns, "curve--other-check",
                       points=True),
        ]  # fmt: skip
        return [replace(line, run=whose) for line in found]
