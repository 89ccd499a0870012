from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from core.choices import optimizers
from core.choices.optimizers import OPTIMIZERS, Numbers, build
from core.families import FAMILIES
from core.texts import UserError

SIZE = 8192
"""bitsandbytes keeps the state of smaller tensors in 32 bits."""
ON_A_CPU = sorted(name for name, entry in OPTIMIZERS.items() if not entry.needs_cuda)


def groups_of(weights: list[torch.nn.Parameter], rates: tuple[float, ...]) -> list[dict[str, Any]]:
    return [{"params": [weight], "lr": rate} for weight, rate in zip(weights, rates, strict=True)]


def stepped(name: str, numbers: Numbers, rates: tuple[float, ...], gradients: tuple[float, ...]) -> list[float]:
    """What each group's weights of 1 become after these gradients."""
    weights = [torch.nn.Parameter(torch.ones(SIZE)) for _ in rates]
    optimizer = OPTIMIZERS[name].build(groups_of(weights, rates), numbers)
    for gradient in gradients:
        for weight in weights:
            weight.grad = torch.full((SIZE,), gradient)
        optimizer.step()
    assert all(weight.std() < 1e-5 for weight in weights)
    return [weight.mean().item() for weight in weights]


def adamw(numbers: Numbers, rate: float, gradients: tuple[float, ...]) -> float:
    """Loshchilov & Hutter, arXiv 1711.05101, algorithm 2."""
    (beta1, beta2), weight, m, v = numbers.betas, 1.0, 0.0, 0.0
    for t, gradient in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        step = (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + numbers.eps)
        weight -= rate * (step + numbers.weight_decay * weight)
    return weight


def lion(numbers: Numbers, rate: float, gradients: tuple[float, ...]) -> float:
    """Chen et al., arXiv 2302.06675, algorithm 2."""
    (beta1, beta2), weight, m = numbers.betas, 1.0, 0.0
    for gradient in gradients:
        weight -= rate * (math.copysign(1, beta1 * m + (1 - beta1) * gradient) + numbers.weight_decay * weight)
        m = beta2 * m + (1 - beta2) * gradient
    return weight


def adafactor(numbers: Numbers, rate: float, gradients: tuple[float, ...]) -> float:
    """Shazeer & Stern, arXiv 1804.04235, algorithm 5 (a vector) with the rate as it is and d = 1."""
    weight, v = 1.0, 0.0
    for t, gradient in enumerate(gradients, 1):
        beta2 = 1 - t**-0.8
        v = beta2 * v + (1 - beta2) * (gradient**2 + numbers.eps)
        step = gradient / math.sqrt(v)
        weight -= rate * (step / max(1.0, abs(step)) + numbers.weight_decay * weight)
    return weight


BY_HAND = {
    "adamw": adamw, "adamw_8bit": adamw, "paged_adamw_8bit": adamw, "lion": lion, "lion_8bit": lion,
    "adafactor": adafactor,
}  # fmt: skip
GRADIENTS = (1.0, 3.0, -2.0, 0.5)


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("changes", [{}, {"weight_decay": 0.1}, {"betas": (0.5, 0.8)}, {"eps": 0.5}], ids=str)
def test_an_optimizer_does_what_its_name_says_with_each_groups_own_rate(name: str, changes: dict[str, Any]) -> None:
    entry = OPTIMIZERS[name]
    usual = entry.usual
    numbers = Numbers(**({"betas": usual.betas, "eps": usual.eps, "weight_decay": 0.0} | changes))
    rates = (1e-2, 3e-3)
    for weight, rate in zip(stepped(name, numbers, rates, GRADIENTS), rates, strict=True):
        assert 1 - weight == pytest.approx(1 - BY_HAND[name](numbers, rate, GRADIENTS), rel=0.02, abs=1e-5)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_what_an_optimizer_takes_is_what_changes_its_updates(name: str) -> None:
    entry = OPTIMIZERS[name]
    usual = entry.usual

    def weights(numbers: Numbers) -> list[float]:
        return stepped(name, numbers, (0.5,), (1.0, -0.5) * (20 if entry.finds_rate else 1))

    plain = weights(usual)
    assert weights(replace(usual, weight_decay=0.3)) != plain
    assert (weights(replace(usual, betas=(0.9, 0.1))) != plain) == ("betas" in entry.takes)
    assert (weights(replace(usual, eps=0.5)) != plain) == ("eps" in entry.takes)


def test_prodigy_finds_a_rate_of_its_own() -> None:
    """On |x - 3| from 0 the distance is 3: the estimate grows a thousandfold and more from its start of 1e-6."""
    weight = torch.nn.Parameter(torch.zeros(64) + 1e-3)
    optimizer = OPTIMIZERS["prodigy"].build(groups_of([weight], (1.0,)), OPTIMIZERS["prodigy"].usual)
    for _ in range(100):
        optimizer.zero_grad()
        (weight - 3).abs().sum().backward()
        optimizer.step()
    assert optimizer.param_groups[0]["d"] > 1e-3
    assert (weight > 2).all()


def test_prodigy_writes_nothing_to_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    stepped("prodigy", Numbers((0.9, 0.999), 1e-8, 0.1), (1.0,), (1.0,))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"adafactor"}))
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_the_state_takes_as_many_bytes_as_the_disk_and_memory_estimates_count(name: str) -> None:
    weight = torch.nn.Parameter(torch.ones(1 << 20))
    assert state_bytes(name, [weight]) == pytest.approx(OPTIMIZERS[name].state_bytes, rel=0.02)


def test_adafactors_state_is_that_of_a_unets_matrices() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(FAMILIES["sd1"].shipped_configs()["unet"])
    assert state_bytes("adafactor", list(unet.parameters())) == pytest.approx(
        OPTIMIZERS["adafactor"].state_bytes, rel=0.02
    )


def state_bytes(name: str, weights: list[torch.nn.Parameter]) -> float:
    optimizer = OPTIMIZERS[name].build([{"params": weights, "lr": 1e-3}], OPTIMIZERS[name].usual)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    return sum(tensor.nbytes for tensor in state_tensors(optimizer)) / sum(weight.numel() for weight in weights)


def state_tensors(optimizer: torch.optim.Optimizer) -> Iterator[torch.Tensor]:
    held = {id(value): value for entries in optimizer.state.values() for value in entries.values()}
    yield from (value for value in held.values() if isinstance(value, torch.Tensor))


@pytest.mark.parametrize(
    ("name", "module"), [(name, module) for name, entry in OPTIMIZERS.items() for module in entry.needs]
)
def test_an_optimizer_without_its_library_is_an_error_with_the_alternative(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=module) as caught:
        build(name, groups_of([torch.nn.Parameter(torch.ones(1))], (1.0,)), OPTIMIZERS[name].usual)
    assert caught.value.code == "optimizer.unavailable" and '"adamw"' in caught.value.message.advice


def test_a_paged_optimizer_on_a_processor_is_an_error_with_the_alternative() -> None:
    paged = [name for name, entry in OPTIMIZERS.items() if entry.needs_cuda]
    assert paged == ["paged_adamw_8bit"]
    with pytest.raises(UserError) as caught:
        build(paged[0], groups_of([torch.nn.Parameter(torch.ones(1))], (1.0,)), OPTIMIZERS[paged[0]].usual)
    assert caught.value.code == "optimizer.needs-cuda" and '"adamw_8bit"' in caught.value.message.advice


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_paged_optimizer_keeps_its_state_in_pages() -> None:
    weight = torch.nn.Parameter(torch.ones(1 << 18, device="cuda"))
    optimizer = build("paged_adamw_8bit", groups_of([weight], (1e-2,)), OPTIMIZERS["paged_adamw_8bit"].usual)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert optimizer.state[weight]["state1"].is_paged
    assert weight.mean().item() == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_auto_is_the_optimizers_own_number_and_what_was_chosen_stays(name: str) -> None:
    assert optimizers.numbers(name, "auto", "auto", "auto") == OPTIMIZERS[name].usual
    assert optimizers.numbers(name, "0.8, 0.95", 1e-4, 0.0) == Numbers((0.8, 0.95), 1e-4, 0.0)
