from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from core.choices.optimizers import OPTIMIZERS
from core.texts import UserError

SIZE = 8192
"""bitsandbytes keeps the state of smaller tensors in 32 bits."""


def stepped(name: str, weight_decay: float, rates: tuple[float, ...], steps: int = 3) -> list[torch.Tensor]:
    """What each group's weights of 1 become when they are pushed down by gradients of 1."""
    weights = [torch.nn.Parameter(torch.ones(SIZE)) for _ in rates]
    groups: list[dict[str, Any]] = [
        {"params": [weight], "lr": rate} for weight, rate in zip(weights, rates, strict=True)
    ]
    optimizer = OPTIMIZERS[name].build(groups, weight_decay)
    for _ in range(steps):
        for weight in weights:
            weight.grad = torch.ones(SIZE)
        optimizer.step()
    return [weight.detach() for weight in weights]


def adamw_by_hand(weight_decay: float, rate: float, steps: int = 3) -> float:
    """Loshchilov & Hutter, arXiv 1711.05101, algorithm 2, with gradients of 1: both bias-corrected moments are 1."""
    weight = 1.0
    for _ in range(steps):
        weight -= rate * weight_decay * weight + rate
    return weight


@pytest.mark.parametrize("name", ["adamw", "adamw_8bit"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_an_optimizer_does_what_its_name_says_with_each_groups_own_rate(name: str, weight_decay: float) -> None:
    rates = (1e-2, 3e-3)
    for weights, rate in zip(stepped(name, weight_decay, rates), rates, strict=True):
        assert weights.mean().item() == pytest.approx(adamw_by_hand(weight_decay, rate), rel=1e-4)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_is_constructed_and_lowers_what_it_is_given(name: str) -> None:
    assert stepped(name, 0.0, (1e-2,))[0].mean().item() < 1


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_the_state_takes_as_many_bytes_as_the_disk_and_memory_estimates_count(name: str) -> None:
    weight = torch.nn.Parameter(torch.ones(1 << 20))
    optimizer = OPTIMIZERS[name].build([{"params": [weight], "lr": 1e-3}], 0.0)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    held = {id(value): value for value in optimizer.state[weight].values() if isinstance(value, torch.Tensor)}
    taken = sum(value.numel() * value.element_size() for value in held.values())
    assert taken / weight.numel() == pytest.approx(OPTIMIZERS[name].state_bytes, rel=0.02)


def test_8bit_adamw_without_bitsandbytes_is_an_error_with_the_alternative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(UserError) as caught:
        OPTIMIZERS["adamw_8bit"].build([{"params": [torch.nn.Parameter(torch.ones(1))]}], 0.0)
    assert caught.value.code == "optimizer.unavailable" and "adamw" in caught.value.message.advice
