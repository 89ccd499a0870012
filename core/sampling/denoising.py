"""From noise to a picture: DPM-Solver++ 2M (Lu et al. 2022) with classifier-free guidance (Ho & Salimans 2022)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy
import torch
from diffusers import DPMSolverMultistepScheduler
from PIL import Image
from torch import Tensor

from core.data.geometry import whole
from core.families.model import Model, TextEmbedding

SAMPLER = "DPM++ 2M"


@dataclass(frozen=True)
class SamplingSettings:
    """`size` is the side in px, `steps` the number of denoising steps."""

    guidance_scale: float
    steps: int
    size: int


def initial_noise(model: Model, seeds: Sequence[int], size: int) -> Tensor:
    """(B, C, H/f, W/f): each picture's own noise from its own seed, drawn on the CPU as diffusers' pipelines do."""
    side = size // model.latent_factor
    shape = (1, model.latent_channels, side, side)
    return torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.no_grad()
def prompt_embedding(model: Model, prompt: str) -> TextEmbedding:
    """(1, 77, D), without gradient."""
    return model.encode_text(model.tokenize([prompt]))


def solver(model: Model) -> DPMSolverMultistepScheduler:
    """The solver for this model's own noise schedule and prediction type."""
    kept = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type",
            "rescale_betas_zero_snr", "steps_offset", "timestep_spacing")  # fmt: skip
    config = {name: model.configs["scheduler"][name] for name in kept if name in model.configs["scheduler"]}
    return DPMSolverMultistepScheduler(**config, algorithm_type="dpmsolver++", solver_order=2)


@torch.no_grad()
def denoise(
    model: Model,
    positive: TextEmbedding,
    negative: TextEmbedding,
    noise: Tensor,
    settings: SamplingSettings,
    *,
    autocast: torch.autocast,
    on_step: Callable[[], None],
) -> Tensor:
    """Latents (B, C, h, w) of finished pictures; `positive` and `negative` hold one row for each of `noise`.

    `on_step` is called before each denoising step and may raise to abandon the work.
    """
    device = next(model.unet.parameters()).device
    guided = settings.guidance_scale > 1
    embedding = TextEmbedding.cat((negative, positive)) if guided else positive
    geometry = torch.tensor([whole(settings.size, settings.size).numbers] * len(embedding), dtype=torch.float)
    conditioning = model.conditioning(embedding, geometry.to(device))
    scheduler = solver(model)
    scheduler.set_timesteps(settings.steps, device=device)
    x: Tensor = noise.to(device) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        on_step()
        doubled = torch.cat((x, x)) if guided else x
        with autocast:
            pred = model.denoise(doubled, t.expand(len(doubled)), conditioning).float()
        if guided:
            unconditional, conditional = pred.chunk(2)
            pred = unconditional + settings.guidance_scale * (conditional - unconditional)
        x = scheduler.step(pred, t, x).prev_sample
    return x


@torch.no_grad()
def to_pictures(model: Model, latents: Tensor) -> list[Image.Image]:
    """Decoded one at a time, in the VAE's own precision: a batch would multiply the largest activation of all."""
    pictures = []
    for row in latents:
        pixels = model.decode_image(row[None]).float().clamp(-1, 1)[0]
        array = ((pixels + 1) * 127.5).round().permute(1, 2, 0).to("cpu", torch.uint8).numpy()
        pictures.append(Image.fromarray(numpy.ascontiguousarray(array)))
    return pictures
