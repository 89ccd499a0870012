from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from core.families.model import NoiseSchedule
from core.training.loss import Shares, add_noise, dreambooth_loss, snr_weights, squared_errors, target_of

SD1 = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}


def schedule(prediction_type: str = "epsilon") -> NoiseSchedule:
    return NoiseSchedule(DDPMScheduler(**SD1).alphas_cumprod, prediction_type)


def latents(seed: int) -> torch.Tensor:
    return torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


T = torch.tensor([0, 1, 500, 999])


def test_noised_latents_equal_those_of_diffusers() -> None:
    expected = DDPMScheduler(**SD1).add_noise(latents(1), latents(2), T)
    torch.testing.assert_close(add_noise(schedule(), latents(1), latents(2), T), expected)


def test_latents_are_noised_in_fp32_even_if_they_come_in_bf16() -> None:
    x0, noise = latents(1).bfloat16(), latents(2).bfloat16()
    exact = add_noise(schedule(), x0.double(), noise.double(), T)
    noised = add_noise(schedule(), x0, noise, T)
    assert noised.dtype == torch.float32
    assert not torch.equal(noised[0], x0[0].float()), "at the first timestep some noise must be left"
    torch.testing.assert_close(noised, exact.float(), rtol=1e-5, atol=1e-6)


def test_velocity_equals_that_of_diffusers() -> None:
    expected = DDPMScheduler(**SD1).get_velocity(latents(1), latents(2), T)
    torch.testing.assert_close(target_of(schedule("v_prediction"), latents(1), latents(2), T), expected)


def test_target_follows_the_prediction_type() -> None:
    assert torch.equal(target_of(schedule("epsilon"), latents(1), latents(2), T), latents(2))
    assert torch.equal(target_of(schedule("sample"), latents(1), latents(2), T), latents(1))
    with pytest.raises(ValueError, match="flow"):
        target_of(schedule("flow"), latents(1), latents(2), T)


def test_errors_are_means_over_each_picture() -> None:
    pred, target = latents(1), latents(2)
    expected = torch.stack([(a - b).pow(2).mean() for a, b in zip(pred, target, strict=True)])
    torch.testing.assert_close(squared_errors(pred, target), expected)


def test_loss_is_the_mean_over_instances_plus_the_weighted_mean_over_class_pictures() -> None:
    errors = torch.tensor([1.0, 3.0, 10.0, 30.0])
    loss, parts = dreambooth_loss(errors, 2, Shares(2, 2), 0.5)
    assert loss.item() == 2 + 0.5 * 20
    assert parts.tolist() == [2, 20]


def test_prior_weight_zero_equals_no_class_pictures() -> None:
    errors = torch.tensor([1.0, 3.0, 10.0, 30.0], requires_grad=True)
    loss, _ = dreambooth_loss(errors, 2, Shares(2, 2), 0.0)
    loss.backward()
    alone = torch.tensor([1.0, 3.0], requires_grad=True)
    loss_alone, _ = dreambooth_loss(alone, 2, Shares(2, 0), 0.75)
    loss_alone.backward()
    assert loss.item() == loss_alone.item()
    assert errors.grad is not None and alone.grad is not None
    assert torch.equal(errors.grad, torch.cat([alone.grad, torch.zeros(2)]))


def test_a_batch_without_class_pictures_has_no_prior_term() -> None:
    loss, parts = dreambooth_loss(torch.tensor([1.0, 3.0]), 2, Shares(2, 0), 0.75)
    assert loss.item() == 2
    assert parts.tolist() == [2, 0]


def test_uneven_micro_batches_sum_to_the_loss_of_the_whole_batch() -> None:
    instance, prior = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([10.0, 20.0])
    whole, _ = dreambooth_loss(torch.cat((instance, prior)), 3, Shares(3, 2), 0.75)
    first, _ = dreambooth_loss(torch.cat((instance[:2], prior[:2])), 2, Shares(3, 2), 0.75)
    second, _ = dreambooth_loss(instance[2:], 1, Shares(3, 2), 0.75)
    torch.testing.assert_close(first + second, whole)


def snr_schedule(prediction_type: str, zero_terminal: bool = False) -> NoiseSchedule:
    scheduler = DDPMScheduler(**SD1, rescale_betas_zero_snr=zero_terminal)
    return NoiseSchedule(scheduler.alphas_cumprod, prediction_type)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_weights_are_those_of_diffusers_example(prediction_type: str, gamma: float) -> None:
    t = torch.arange(1000)
    snr = compute_snr(DDPMScheduler(**SD1), t)
    expected = torch.stack([snr, gamma * torch.ones_like(t)], dim=1).min(dim=1)[0]
    expected = expected / {"epsilon": snr, "v_prediction": snr + 1, "sample": 1}[prediction_type]
    torch.testing.assert_close(snr_weights(snr_schedule(prediction_type), gamma), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_min_snr_is_a_number_at_the_last_timestep_of_a_zero_terminal_schedule(prediction_type: str) -> None:
    schedule = snr_schedule(prediction_type, zero_terminal=True)
    assert schedule.alphas_cumprod[-1] == 0
    weights = snr_weights(schedule, 5.0)
    assert weights.isfinite().all()
    assert weights[-1].item() == (1.0 if prediction_type == "epsilon" else 0.0)
