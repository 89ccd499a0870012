"""The autoencoder's training."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from core.demo.recipe.drawings import Drawings
from core.demo.recipe.networks import fast, new_autoencoder, settle
from core.demo.recipe.progress import Length, rate, steps_of
from core.demo.recipe.scenes import Scenes

_KL = 2e-4  # for each latent number: more blurs, less leaves latents that diffusion learns slowly
_RATE = 1e-3


def train(drawings: Drawings, device: torch.device, length: Length, batch: int, seed: int = 0) -> AutoencoderKL:
    """Train an autoencoder, with `scaling_factor` set so that its latents have a standard deviation of 1."""
    torch.manual_seed(seed)
    generator = torch.Generator(device).manual_seed(seed)
    scenes = Scenes(drawings, device, nouns_only=False, seed=seed)
    network = new_autoencoder().to(device)
    encode = fast(torch.nn.Sequential(network.encoder, network.quant_conv), device)
    decode = fast(torch.nn.Sequential(network.post_quant_conv, network.decoder), device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=_RATE, betas=(0.9, 0.98), weight_decay=1e-4, fused=device.type == "cuda"
    )
    average = [parameter.detach().clone() for parameter in network.parameters()]
    started = time.monotonic()
    for step, steps in steps_of(length, lambda: settle(device)):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps, _RATE)
        pictures = scenes.draw_unseen_colours(generator, batch)
        with torch.autocast(device.type, torch.bfloat16):
            mean, log_variance = encode(pictures).float().chunk(2, 1)
            log_variance = log_variance.clamp(-30, 20)
            drawn = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator, device=device)
            back = decode(drawn).float()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        loss = reconstruction_loss(back, pictures) + _KL * divergence
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch._foreach_lerp_(average, list(network.parameters()), 1 / min(500, step + 2))
        if step % 500 == 0 or step == steps - 1:
            error = (back - pictures).abs().mean().item()
            print(
                f"vae {step + 1}/{steps}  L1 {error:.4f}  std {drawn.std().item():.3f}"
                f"  {time.monotonic() - started:.0f} s"
            )
    with torch.no_grad():
        for parameter, mean in zip(network.parameters(), average, strict=True):
            parameter.copy_(mean)
        network.eval()
        latents = torch.cat([network.encode(scenes.draw(generator, 256)[0]).latent_dist.sample() for _ in range(4)])
    network.register_to_config(scaling_factor=round(1 / latents.std().item(), 5))
    print(f"vae scaling_factor {network.config.scaling_factor}")
    return network


def reconstruction_loss(back: Tensor, pictures: Tensor) -> Tensor:
    """How far pictures (N, 3, 64, 64) came back: colours, edges, and the colour of larger areas."""
    areas = (F.avg_pool2d(back, 8) - F.avg_pool2d(pictures, 8)).abs().mean()
    across = ((back[..., 1:] - back[..., :-1]) - (pictures[..., 1:] - pictures[..., :-1])).abs().mean()
    down = ((back[..., 1:, :] - back[..., :-1, :]) - (pictures[..., 1:, :] - pictures[..., :-1, :])).abs().mean()
    return (back - pictures).abs().mean() + (back - pictures).square().mean() + areas + 0.5 * (across + down)
