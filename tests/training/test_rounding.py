from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from core.choices.optimizers import OPTIMIZERS
from core.choices.schedulers import Schedule
from core.seeds import generator
from core.tensors import read_tensors
from core.training import rounding
from core.training.checkpoints import list_checkpoints
from core.training.optimization import Optimization
from core.training.rounding import round_randomly
from tests.training.runs import quick_config, run_to_end

BF16 = {"performance__weights": "bf16", "performance__mixed_precision": "bf16"}
IN_PARTS = sorted(name for name, entry in OPTIMIZERS.items() if entry.steps_parts and not entry.needs_cuda)


def optimization(weights: dict[str, nn.Parameter], optimizer: str = "adamw", rate: float = 1e-2) -> Optimization:
    return Optimization(
        {"unet": weights},
        optimizer=optimizer,
        numbers=OPTIMIZERS[optimizer].usual,
        rates={"unet": rate},
        schedule=Schedule("constant", 10),
        max_grad_norm=0.0,
        seed=7,
    )


def step(own: Optimization, weights: dict[str, nn.Parameter], update: int, gradient: float = 1.0) -> None:
    for weight in weights.values():
        weight.grad = torch.full_like(weight, gradient)
    own.set_rates(update)
    own.update(own.unscaled_norm(1.0))


def ones(count: int = 2, size: int = 5000) -> dict[str, nn.Parameter]:
    return {str(number): nn.Parameter(torch.ones(size, dtype=torch.bfloat16)) for number in range(count)}


@pytest.mark.parametrize("value", [1.0, 1.001, -1.001, 3.14159e-5, -2.0e10, 0.0])
def test_rounding_gives_a_neighbour_and_is_right_on_average(value: float) -> None:
    draws = round_randomly(torch.full((200_000,), value), generator(1, "test"))
    exact = torch.tensor(value)
    found = draws.unique().float()
    assert len(found) <= 2 and found.min() <= exact <= found.max()
    spread = (found.max() - found.min()).item()
    assert draws.double().mean().item() == pytest.approx(exact.item(), abs=max(spread * 0.01, 1e-30))


def test_what_bf16_can_hold_is_never_changed() -> None:
    exact = torch.randn(10_000, generator=generator(1, "test")).bfloat16()
    assert torch.equal(round_randomly(exact.float(), generator(2, "test")), exact)


def test_the_same_seed_rounds_alike_and_another_otherwise() -> None:
    exact = torch.full((100,), 1.001)
    assert torch.equal(round_randomly(exact, generator(1, "a")), round_randomly(exact, generator(1, "a")))
    assert not torch.equal(round_randomly(exact, generator(1, "a")), round_randomly(exact, generator(2, "a")))


def test_updates_too_small_for_bf16_are_not_lost() -> None:
    """Each is a thousandth of a weight of 1, where the next smaller number in bf16 is four times as far."""
    weights = ones(1, 20_000)
    own = optimization(weights, rate=1e-3)
    for update in range(100):
        step(own, weights, update)
    decayed = (1 - 1e-3 * 0.01) ** 100
    assert weights["0"].double().mean().item() == pytest.approx(decayed - 0.1, abs=2e-3)
    nearest = torch.ones(1, dtype=torch.bfloat16)
    for _ in range(100):
        nearest = (nearest.float() - 1e-3).bfloat16()
    assert nearest.item() == 1.0, "rounded to the nearest, none of them comes through"


@pytest.mark.parametrize("optimizer", IN_PARTS)
def test_an_update_of_bf16_weights_is_that_of_fp32_weights_rounded(optimizer: str) -> None:
    weights, exact = ones(), {name: nn.Parameter(weight.detach().float()) for name, weight in ones().items()}
    own, expected = optimization(weights, optimizer), optimization(exact, optimizer)
    for update, gradient in enumerate((1.0, -0.25, 2.0)):
        step(own, weights, update, gradient)
        step(expected, exact, update, gradient)
    for name, weight in weights.items():
        assert weight.dtype == torch.bfloat16 and weight.grad is None
        assert weight.double().mean().item() == pytest.approx(exact[name].double().mean().item(), abs=1e-3)


@pytest.mark.parametrize("part", [1, 5000, 7000, 2**24])
def test_the_size_of_a_part_changes_nothing(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    whole, cut = ones(4), ones(4)
    first = optimization(whole)
    step(first, whole, 3)
    monkeypatch.setattr(rounding, "PART", part)
    second = optimization(cut)
    step(second, cut, 3)
    assert all(torch.equal(weight, cut[name]) for name, weight in whole.items())


@pytest.mark.parametrize("optimizer", IN_PARTS)
def test_between_updates_no_weight_is_held_in_fp32(optimizer: str) -> None:
    weights = ones()
    own = optimization(weights, optimizer)
    step(own, weights, 0)
    assert all(parameter.numel() == 0 and parameter.grad is None for parameter in own.names)


@pytest.mark.parametrize("optimizer", IN_PARTS)
def test_bf16_weights_and_state_taken_and_restored_go_on_to_the_same_bits(optimizer: str) -> None:
    weights = ones()
    own = optimization(weights, optimizer)
    for update in (0, 1):
        step(own, weights, update)
    copied = {name: nn.Parameter(weight.detach().clone()) for name, weight in weights.items()}
    tensors, plain = own.state()
    other = optimization(copied, optimizer)
    other.restore({key: tensor.clone() for key, tensor in tensors.items()}, plain)
    for update in (2, 3):
        step(own, weights, update)
        step(other, copied, update)
    assert all(torch.equal(weight, copied[name]) for name, weight in weights.items())


def test_the_clip_is_that_of_fp32_weights() -> None:
    weights = ones(1, 10_000)
    own = optimization(weights, "lion")
    own._max_grad_norm = 1.0
    weights["0"].grad = torch.full((10_000,), 5.0, dtype=torch.bfloat16)
    norm = own.unscaled_norm(1.0)
    assert norm.dtype == torch.float32 and norm.item() == pytest.approx(500.0)
    own.set_rates(0)
    own.update(norm)
    (state,) = own.optimizer.state.values()
    assert state["state1"].mean().item() == pytest.approx(0.01 * 5.0 / 500.0, rel=1e-3), "Lion's momentum"


def test_an_optimizer_that_looks_at_all_weights_at_once_refuses_them() -> None:
    with pytest.raises(ValueError, match="a part at a time"):
        optimization(ones(), "prodigy")


def test_a_run_keeps_its_weights_in_bf16_and_learns(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    for name, changes in (("bf16", BF16), ("fp32", {"performance__mixed_precision": "bf16"})):
        run_to_end(quick_config(tiny_sd1, pictures, learning_rate__rate=1e-4, **changes), tmp_path / name)
    source = read_tensors(tiny_sd1 / "unet" / "diffusion_pytorch_model.safetensors")
    made = {name: read_tensors(list_checkpoints(tmp_path / name / "checkpoints")[-1][1] / "unet.safetensors")
            for name in ("bf16", "fp32")}  # fmt: skip
    assert {tensor.dtype for tensor in made["bf16"].values()} == {torch.bfloat16}
    rounded, exact = (
        torch.cat([(made[name][key].double() - source[key].double()).flatten() for key in source]) for name in made
    )
    along = (rounded @ exact) / exact.norm() ** 2
    assert along.item() == pytest.approx(1, abs=0.2), "as far in the direction of the fp32 run"
