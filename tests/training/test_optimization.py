from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from core.choices.optimizers import OPTIMIZERS
from core.choices.schedulers import Schedule
from core.training.optimization import Optimization

RATES = {"unet": 1e-2, "text_encoder": 1e-3}
ON_A_CPU = sorted(name for name, entry in OPTIMIZERS.items() if not entry.needs_cuda)
IN_PARTS = sorted(name for name in ON_A_CPU if OPTIMIZERS[name].steps_parts)


def networks(seed: int = 0) -> dict[str, nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {"unet": nn.Linear(80, 80), "text_encoder": nn.Linear(80, 80)}


def optimization(parts: dict[str, nn.Module], optimizer: str = "adamw", max_grad_norm: float = 0.0) -> Optimization:
    return Optimization(
        {name: dict(part.named_parameters()) for name, part in parts.items()},
        optimizer=optimizer,
        numbers=OPTIMIZERS[optimizer].usual,
        rates={name: 1.0 if OPTIMIZERS[optimizer].finds_rate else RATES[name] for name in parts},
        schedule=Schedule("constant", 10),
        max_grad_norm=max_grad_norm,
        seed=7,
    )


def step(own: Optimization, parts: dict[str, nn.Module], seed: int) -> None:
    for place, name in enumerate(own.components):
        for number, parameter in enumerate(parts[name].parameters()):
            generator = torch.Generator().manual_seed(seed * 100 + place * 10 + number)
            parameter.grad = torch.randn(parameter.shape, generator=generator)
    own.set_rates(seed)
    own.update(own.unscaled_norm(1.0))


@pytest.mark.parametrize("optimizer", sorted(set(ON_A_CPU) - {"prodigy"}))
def test_every_optimizer_steps_against_the_gradient(optimizer: str) -> None:
    parts = networks()
    before = parts["unet"].weight.detach().clone()  # type: ignore[union-attr]
    own = optimization(parts, optimizer)
    for parameter in (*parts["unet"].parameters(), *parts["text_encoder"].parameters()):
        parameter.grad = torch.ones_like(parameter)
    own.set_rates(0)
    own.update(own.unscaled_norm(1.0))
    change = parts["unet"].weight.detach() - before  # type: ignore[union-attr]
    assert (change < 0).all()
    torch.testing.assert_close(change, torch.full_like(change, -1e-2), rtol=0.2, atol=1e-4)


@pytest.mark.parametrize("optimizer", ON_A_CPU)
def test_state_taken_and_restored_goes_on_to_the_same_bits(optimizer: str) -> None:
    parts = networks()
    own = optimization(parts, optimizer)
    for seed in (1, 2):
        step(own, parts, seed)
    copied = copy.deepcopy(parts)
    tensors, plain = own.state()
    tensors = {key: tensor.clone() for key, tensor in tensors.items()}
    other = optimization(copied, optimizer)
    other.restore(tensors, plain)
    for seed in (3, 4):
        step(own, parts, seed)
        step(other, copied, seed)
    for name in parts:
        for a, b in zip(parts[name].parameters(), copied[name].parameters(), strict=True):
            assert torch.equal(a, b)


def test_one_clip_goes_over_all_components_together() -> None:
    parts = networks()
    own = optimization(parts, max_grad_norm=1.0)
    for part in parts.values():
        for parameter in part.parameters():
            parameter.grad = torch.full_like(parameter, 2.0)
    gradients = [parameter.grad for part in parts.values() for parameter in part.parameters()]
    norm = own.unscaled_norm(1.0)
    assert norm.item() == pytest.approx(2.0 * (2 * (80 * 80 + 80)) ** 0.5)
    own.update(norm)
    assert nn.utils.get_total_norm([g for g in gradients if g is not None]).item() == pytest.approx(1.0, rel=1e-4)


def test_the_norm_is_that_of_the_unscaled_gradients() -> None:
    parts = networks()
    own = optimization(parts)
    parts["unet"].weight.grad = torch.full((80, 80), 1024.0)  # type: ignore[union-attr]
    assert own.unscaled_norm(1024.0).item() == pytest.approx(80.0)


def test_a_dropped_component_leaves_the_others_bits_alone() -> None:
    parts, alone = networks(), networks()
    own, expected = optimization(parts), optimization({"unet": alone["unet"]})
    for seed in (1, 2):
        step(own, parts, seed)
        step(expected, alone, seed)
    own.drop("text_encoder")
    assert own.components == ["unet"]
    assert all(parameter.grad is None for parameter in parts["text_encoder"].parameters())
    step(own, parts, 3)
    step(expected, alone, 3)
    for a, b in zip(parts["unet"].parameters(), alone["unet"].parameters(), strict=True):
        assert torch.equal(a, b)


def test_each_component_has_its_own_rate() -> None:
    assert optimization(networks()).set_rates(0) == {"unet": 1e-2, "text_encoder": 1e-3}


def test_weights_in_half_precision_are_refused() -> None:
    parts = networks()
    parts["unet"].half()
    with pytest.raises(ValueError, match="unet/weight must be fp32"):
        optimization(parts)
