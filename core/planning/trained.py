"""How many numbers a run trains and how many stand beside them unchanged, from the source's shapes alone."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from core.choices.adapters import TARGETS, WHOLE, parameters
from core.config.options import RunConfig
from core.families import FAMILIES
from core.families.describe import SourceDescription


def trained_parameters(config: RunConfig, source: SourceDescription) -> int:
    """Numbers with gradients when the most is trained: the U-Net, and the text encoders if they train at all; of a
    LoRA run its adapters.
    """
    return sum(_trained_in(component, config, source) for component in training(config, source))


def adapted_weights(config: RunConfig, source: SourceDescription) -> int:
    """Numbers of the U-Net's weights that have an adapter beside them."""
    if config.method == WHOLE or not config.performance.train_unet:
        return 0
    shapes = _shapes("unet", source)
    return sum(prod(shapes[name]) for name in TARGETS[config.lora.targets].chosen("unet", shapes))


def training(config: RunConfig, source: SourceDescription) -> Iterator[str]:
    """The components that train at any time of the run."""
    if config.performance.train_unet:
        yield "unet"
    if config.performance.text_encoder_ratio > 0:
        yield from FAMILIES[source.family].text_encoders


def _trained_in(component: str, config: RunConfig, source: SourceDescription) -> int:
    if config.method == WHOLE:
        return source.parameters[component]
    targets, rank = TARGETS[config.lora.targets], config.lora.rank
    if component != "unet":
        rank = config.lora.text_encoder_rank
    shapes = _shapes(component, source)
    return sum(parameters(config.method, rank, shapes[name]) for name in targets.chosen(component, shapes))


def _shapes(component: str, source: SourceDescription) -> dict[str, tuple[int, ...]]:
    """Module → shape of its weight."""
    return {name.removesuffix(".weight"): tensor.shape for name, tensor in source.tensors[component].items()
            if name.endswith(".weight")}  # fmt: skip
