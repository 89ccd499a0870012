"""What is put beside the weights of one run, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.choices.adapters import TARGETS, Targets
from core.config.options import LoraOptions


@dataclass(frozen=True)
class Strength:
    """The adapter's change of a weight is multiplied with alpha / rank."""

    rank: int
    alpha: float


@dataclass(frozen=True)
class Kind:
    """`method` is an id of `METHODS`; `strengths` maps each component that can have adapters to its own."""

    method: str
    targets: Targets
    strengths: Mapping[str, Strength]

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """The family's, in its order."""
        return tuple(component for component in self.strengths if component != "unet")


def kind_of(options: LoraOptions, text_encoders: Sequence[str]) -> Kind | None:
    """What these options ask for; `None` where the whole model is trained."""
    if not options.enabled:
        return None
    text = Strength(options.text_encoder_rank, options.text_encoder_alpha)
    strengths = {"unet": Strength(options.rank, options.alpha), **dict.fromkeys(text_encoders, text)}
    return Kind(options.method, TARGETS[options.targets], strengths)
