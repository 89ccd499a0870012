"""Each method's formula against what peft computes, on a linear layer and on convolutions."""

from __future__ import annotations

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from core.adapters.kind import Strength
from core.adapters.parts import as_stored, by_module, changed, kohya_parts
from core.choices.adapters import METHODS, factorized, parameters

LAYERS = {
    "linear": (lambda: nn.Linear(24, 40), (3, 24)),
    "square": (lambda: nn.Linear(64, 64), (3, 64)),
    "convolution": (lambda: nn.Conv2d(24, 40, 3, padding=1, stride=2), (2, 24, 8, 8)),
    "pointwise": (lambda: nn.Conv2d(24, 40, 1), (2, 24, 8, 8)),
}


def with_adapter(layer: nn.Module, method: str, rank: int, alpha: float) -> tuple[nn.Module, dict[str, Tensor]]:
    """The layer with a peft adapter of any values, and the adapter's tensors as our states name them."""
    network = nn.Sequential(layer)
    if method == "loha":
        inject_adapter_in_model(LoHaConfig(r=rank, alpha=alpha, target_modules=["0"]), network)
    elif method == "lokr":
        inject_adapter_in_model(LoKrConfig(r=rank, alpha=alpha, target_modules=["0"]), network)
    else:
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=["0"], use_dora=method == "dora")
        inject_adapter_in_model(config, network)
    stored = {}
    for name, parameter in network.named_parameters():
        if "base_layer" not in name:
            parameter.data += 0.3 * torch.randn(parameter.shape)
            stored[as_stored(name, "default")] = parameter.detach()
    return network.eval(), stored


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("rank", [2, 40])
def test_the_changed_weight_computes_what_peft_computes(method: str, kind: str, rank: int) -> None:
    torch.manual_seed(5)
    make, shape = LAYERS[kind]
    layer = make()
    weight, plain = layer.weight.detach().clone(), type(layer)
    network, stored = with_adapter(layer, method, rank, alpha=7.0)
    parts = kohya_parts(by_module(stored)["0"], Strength(rank, 7.0))
    x = torch.randn(shape)
    with torch.no_grad():
        expected = network(x)
        again = make()
        again.weight.copy_(changed(weight, parts))
        again.bias.copy_(layer.bias)
        assert type(again) is plain and not torch.allclose(again.weight, weight)
        torch.testing.assert_close(again(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("rank", [2, 40])
def test_the_count_of_numbers_is_pefts(method: str, kind: str, rank: int) -> None:
    layer = LAYERS[kind][0]()
    shape = tuple(layer.weight.shape)
    _, stored = with_adapter(layer, method, rank, alpha=1.0)
    assert parameters(method, rank, shape) == sum(tensor.numel() for tensor in stored.values())


@pytest.mark.parametrize(("dimension", "sides"), [(320, (16, 20)), (768, (24, 32)), (1280, (32, 40)), (7, (1, 7))])
def test_lokr_splits_a_dimension_as_nearly_in_half_as_it_divides(dimension: int, sides: tuple[int, int]) -> None:
    assert factorized(dimension) == sides


def test_the_strength_of_a_file_is_alpha_by_rank() -> None:
    up, down = torch.randn(8, 4), torch.randn(4, 6)
    parts = kohya_parts({"lora_A.weight": down, "lora_B.weight": up}, Strength(4, 2.0))
    assert parts["alpha"].item() / len(parts["lora_down.weight"]) == 0.5
    torch.testing.assert_close(changed(torch.zeros(8, 6), parts), 0.5 * up @ down)


def test_a_name_that_is_no_part_of_an_adapter_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no part"):
        by_module({"mid_block.weight": torch.zeros(1)})
