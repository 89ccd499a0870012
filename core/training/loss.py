"""The loss of DreamBooth, as in the paper (Ruiz et al. 2022, eq. 2): instance pictures plus weighted class pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.families.model import NoiseSchedule


def add_noise(schedule: NoiseSchedule, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Latents (B, C, H, W) at timesteps t (B,): √α̅·x0 + √(1-α̅)·noise, in fp32.

    In bf16 α̅ rounds so that σ = 0 at the first timesteps, hence fp32 whatever the network computes in.
    """
    alpha, sigma = _coefficients(schedule, t)
    return alpha * x0.float() + sigma * noise.float()


def target_of(schedule: NoiseSchedule, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """What the network should predict, by the model's own prediction type; v = α·noise - σ·x0 (Salimans & Ho 2022)."""
    if schedule.prediction_type == "epsilon":
        return noise.float()
    if schedule.prediction_type == "sample":
        return x0.float()
    if schedule.prediction_type == "v_prediction":
        alpha, sigma = _coefficients(schedule, t)
        return alpha * noise.float() - sigma * x0.float()
    raise ValueError(f"unknown prediction type {schedule.prediction_type}")


def squared_errors(pred: Tensor, target: Tensor) -> Tensor:
    """The mean squared error of each picture, (B, C, H, W) → (B,), in fp32."""
    return (pred.float() - target.float()).square().flatten(1).mean(1)


@dataclass(frozen=True)
class Shares:
    """How many instance and class pictures the whole effective batch has; losses divide by these counts."""

    instances: int
    priors: int


def dreambooth_loss(errors: Tensor, instances: int, whole: Shares, prior_weight: float) -> tuple[Tensor, Tensor]:
    """One micro-batch's part of instance + weight · prior.

    `errors` (B,) is ordered [instance…, class…], the first `instances` being the person's own pictures. Summed over
    the micro-batches of a step it is exactly the loss of the whole batch. Returns the loss (a scalar with gradient)
    and its two parts (2,) without.
    """
    instance = errors[:instances].sum() / whole.instances
    if whole.priors == 0:
        return instance, torch.stack((instance.detach(), torch.zeros_like(instance)))
    prior = errors[instances:].sum() / whole.priors
    return instance + prior_weight * prior, torch.stack((instance.detach(), prior.detach()))


def _coefficients(schedule: NoiseSchedule, t: Tensor) -> tuple[Tensor, Tensor]:
    alphas_cumprod = schedule.alphas_cumprod[t][:, None, None, None]
    return alphas_cumprod.sqrt(), (1 - alphas_cumprod).sqrt()
