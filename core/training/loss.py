"""The loss of DreamBooth, as in the paper (Ruiz et al. 2022, eq. 2): instance pictures plus weighted class pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.families.model import NoiseSchedule

SMALLEST_MASK = 1e-6
"""Of a mask's mean: less is a cut at random that met nothing of the subject."""


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


def squared_errors(pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean squared error of each picture, (B, C, H, W) → (B,), in fp32.

    With a `mask` (B, 1, H, W) from 0 to 1 it is the weighted mean: divided by the mask's own, so that a small subject
    learns as fast as a large one. What is masked whole has no error.
    """
    errors = (pred.float() - target.float()).square()
    if mask is None:
        return errors.flatten(1).mean(1)
    return (errors * mask).flatten(1).mean(1) / mask.flatten(1).mean(1).clamp_min(SMALLEST_MASK)


def snr_weights(schedule: NoiseSchedule, gamma: float) -> Tensor:
    """What min-SNR-γ multiplies the error of each timestep with, (T,) (Hang et al., arXiv 2303.09556, section 3.4).

    min(snr, γ) is the weight of an error in x0; divided by snr it is that of one in the noise, by snr + 1 of one in v.
    At a zero-terminal schedule's last timestep, where snr is 0, the first of these is 1, its limit.
    """
    snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod)
    if schedule.prediction_type == "epsilon":
        return torch.where(snr > gamma, gamma / snr, torch.ones_like(snr))
    limited = snr.clamp(max=gamma)
    return limited / (snr + 1) if schedule.prediction_type == "v_prediction" else limited


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
