"""How many numbers a run trains and how many stand beside them unchanged, from the source's shapes alone."""

from __future__ import annotations

from collections.abc import Iterator

from core.choices.adapters import TARGETS, WHOLE, parameters
from core.config.options import RunConfig
from core.families import FAMILIES
from core.families.describe import SourceDescription


def trained_parameters(config: RunConfig, source: SourceDescription) -> int:
    """Numbers with gradients when the most is trained: the U-Net, and the text encoders if they train at all; of a
    LoRA run its adapters.
    """
    return sum(_trained_in(component, config, source) for component in training(config, source))


def frozen_parameters(config: RunConfig, source: SourceDescription) -> int:
    """Weights beside the adapters, in the run's precision on its device; none where the model itself is trained."""
    if config.method == WHOLE:
        return 0
    return sum(source.parameters[component] for component in training(config, source))


def training(config: RunConfig, source: SourceDescription) -> Iterator[str]:
    """The components that train at any time of the run."""
    yield "unet"
    if config.performance.text_encoder_ratio > 0:
        yield from FAMILIES[source.family].text_encoders


def _trained_in(component: str, config: RunConfig, source: SourceDescription) -> int:
    if config.method == WHOLE:
        return source.parameters[component]
    targets, rank = TARGETS[config.lora.targets], config.lora.rank
    if component != "unet":
        rank = config.lora.text_encoder_rank
    shapes = {name.removesuffix(".weight"): tensor.shape for name, tensor in source.tensors[component].items()
              if name.endswith(".weight")}  # fmt: skip
    return sum(parameters(config.method, rank, shapes[name]) for name in targets.chosen(component, shapes))
