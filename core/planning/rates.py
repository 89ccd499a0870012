"""The learning rates that suit what is trained: for the checks beforehand, and for what may help a run that failed."""

from __future__ import annotations

from dataclasses import dataclass

from core.choices.optimizers import Optimizer
from core.config.options import RunConfig
from core.families.describe import SourceDescription
from core.machine import Machine
from core.planning.memory import optimizer_of
from core.texts import Texts, say


@dataclass(frozen=True)
class Rates:
    """What suits the one called `id`: above `high` it breaks, below `low` it learns nothing."""

    id: str
    low: float
    usual: float
    high: float
    relative_to: str = ""
    """The optimizer whose rates differ from AdamW's."""

    @property
    def what(self) -> str:
        return SUITED[self.id]

    @property
    def advice(self) -> str:
        if self.relative_to:
            return say("rate.with-optimizer", "With {optimizer} about {rate:g} is usual.", optimizer=self.relative_to,
                       rate=self.usual)  # fmt: skip
        return ADVICE[self.id]


SUITED = Texts("rate.suits", {
    "whole": "a whole model", "adapters": "LoRA", "small": "so small a model",
    "its-own": "an optimizer that finds the rate itself",
})  # fmt: skip
ADVICE = Texts("rate.advice", {
    "whole": "1e-6 to 5e-6 is usual; 1e-4 belongs to LoRA.",
    "adapters": "1e-4 is usual; 1e-6 belongs to a whole model.",
    "small": "About 2e-4 suits it.", "its-own": "It is a factor of what is found: 1.",
})  # fmt: skip


WHOLE_MODEL = Rates("whole", 1e-8, 1e-6, 1e-4)
"""DreamBooth paper and diffusers' example."""
ADAPTERS = Rates("adapters", 1e-5, 1e-4, 1e-2)
"""diffusers' LoRA examples; LoRA's and DoRA's papers use 1e-4 to 4e-4."""
SMALL_MODEL = Rates("small", 1e-5, 2e-4, 2e-3)
"""Measured on the demo's."""
SMALL_PARAMETERS = 100_000_000
"""The U-Nets of the published models have 860 million parameters and more, the demo's a hundredth of that."""
ITS_OWN = Rates("its-own", 0.1, 1.0, 10.0)
"""Mishchenko & Defazio, arXiv 2306.06101."""


def rates_for(config: RunConfig, source: SourceDescription | None, machine: Machine | None) -> Rates:
    """What suits this run. A source that is not known is one of the usual size."""
    small = source is not None and source.parameters["unet"] < SMALL_PARAMETERS
    suits = ADAPTERS if config.lora.enabled else SMALL_MODEL if small else WHOLE_MODEL
    return _with_optimizer(suits, optimizer_of(config, machine))


def _with_optimizer(suits: Rates, optimizer: Optimizer) -> Rates:
    if optimizer.finds_rate:
        return ITS_OWN
    if optimizer.rate == 1:
        return suits
    low, usual, high = (rate * optimizer.rate for rate in (suits.low, suits.usual, suits.high))
    return Rates(suits.id, low, usual, high, optimizer.title)
