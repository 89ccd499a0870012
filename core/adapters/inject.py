"""Adapters in a loaded model: peft puts them beside the weights; what is trained is theirs alone, in 32 bits."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from torch import nn

from core.adapters.kind import Kind, Strength
from core.adapters.parts import as_stored
from core.families.keys import from_folder
from core.families.model import Model
from core.seeds import derive

NAME = "default"
"""What peft calls the one adapter of a layer."""


def inject(model: Model, components: Iterable[str], kind: Kind, *, seed: int) -> dict[str, dict[str, nn.Parameter]]:
    """Put fresh adapters into these networks; returns component → name in files → parameter, fp32.

    They change nothing yet: one factor of each is zero. The other is drawn from `seed`. The weights beside them keep
    their precision and get no gradient.
    """
    return {
        component: _inject(component, model.networks[component], kind, kind.strengths[component], seed)
        for component in components
    }


def _inject(component: str, network: nn.Module, kind: Kind, strength: Strength, seed: int) -> dict[str, nn.Parameter]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, f"adapter {component}"))
        inject_adapter_in_model(_config(component, kind, strength), network, NAME)
    found: dict[str, nn.Parameter] = {}
    for module_name, module in network.named_modules():
        if not hasattr(module, "base_layer"):
            continue
        for name, parameter in _own_parameters(module):
            parameter.data = parameter.data.float()
            found[from_folder(component, f"{module_name}.{as_stored(name, NAME)}")] = parameter
        if kind.method == "dora":
            _measure_lengths(module)
    network.requires_grad_(False)
    return found


def _config(component: str, kind: Kind, strength: Strength) -> LoraConfig | LoHaConfig | LoKrConfig:
    targets, rank, alpha = kind.targets.pattern(component), strength.rank, strength.alpha
    if kind.method == "loha":
        return LoHaConfig(r=rank, alpha=alpha, target_modules=targets)
    if kind.method == "lokr":
        return LoKrConfig(r=rank, alpha=alpha, target_modules=targets)
    return LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, use_dora=kind.method == "dora")


def _own_parameters(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in module.named_parameters() if not name.startswith("base_layer.")]


@torch.no_grad()
def _measure_lengths(module: nn.Module) -> None:
    """DoRA's magnitudes anew in 32 bits: peft measures them in the weight's own precision."""
    weight = module.get_submodule("base_layer").get_parameter("weight").float()
    magnitude = module.get_parameter(f"lora_magnitude_vector.{NAME}.weight")
    magnitude.copy_(weight.flatten(1).norm(dim=1).view_as(magnitude))
