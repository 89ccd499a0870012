"""The learning rate as it was, of the UNet and of the text encoder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.texts import say
from dbtui.monitor.curves import CurvePane

if TYPE_CHECKING:
    from core.runs.history import History
    from dbtui.widgets.plot import Curve


class RatePane(CurvePane):
    COMPONENT_CLASSES = {"curve--rate", "curve--text-encoder"}
    DEFAULT_CSS = """
    RatePane .curve--rate { color: $primary; }
    RatePane .curve--text-encoder { color: $accent; }
    RatePane:nocolor .curve--rate { color: $foreground; }
    RatePane:nocolor .curve--text-encoder { color: $foreground 55%; }
    """

    def __init__(self) -> None:
        super().__init__("rate")

    @property
    def nothing_yet(self) -> str:
        return say("rate.nothing-yet", "The learning rate is drawn here once a step is trained.")

    def curves(self, history: History, columns: int) -> list[Curve]:
        other = self.curve(history, "text_encoder_rate", say("curve.text-encoder-rate", "text encoder rate"), columns,
                           "curve--text-encoder")  # fmt: skip
        rate = self.curve(history, "rate", say("curve.rate", "rate"), columns, "curve--rate")
        if not other.steps or (rate.values == other.values and rate.steps == other.steps):
            return [rate]
        return [replace(rate, label=say("curve.unet-rate", "U-Net rate")), other]
