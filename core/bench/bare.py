"""The loop that a trainer is measured against: forward, backward, optimizer, on tensors that never change.

It works on a trainer's own networks and with its own optimizer, between its steps: so both compute exactly the same,
compiled or not, and a large model is held once. What the trainer does beside is what tells them apart: drawing noise
by slot, latents and captions from caches, the loss by picture, the figures of each step, journal and commands.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.families.model import Model, TextEmbedding
from core.training.device import Settled
from core.training.optimization import Optimization
from core.training.precision import autocast


@dataclass(frozen=True)
class Inputs:
    """What goes through the networks in one pass: latents x (B, C, h, w), geometry (B, 6), and the captions, embedded
    (B, 77, D) or, where text encoders train, as tokens (B, 77) by encoder. `instances` of the pictures are the
    person's own.
    """

    x: Tensor
    geometry: Tensor
    captions: TextEmbedding | dict[str, Tensor]
    instances: int


class BareLoop:
    """`passes` of `inputs` for each update; gradients are clipped to `max_grad_norm`, 0 for not."""

    def __init__(
        self, model: Model, optimization: Optimization, settled: Settled, inputs: Inputs, *, passes: int,
        prior_weight: float, max_grad_norm: float,
    ) -> None:  # fmt: skip
        self._model, self._optimization, self._settled = model, optimization, settled
        self._inputs, self._passes = inputs, passes
        self._prior_weight, self._max_grad_norm = prior_weight, max_grad_norm
        self._noise = torch.randn_like(inputs.x)
        self._t = torch.randint(len(model.schedule.alphas_cumprod), (len(inputs.x),), device=inputs.x.device)
        self._parameters = [parameter for group in optimization.optimizer.param_groups for parameter in group["params"]]

    def step(self) -> None:
        """One update. Never waits for the device."""
        for _ in range(self._passes):
            torch.autograd.backward(self._loss() / self._passes)
        if self._optimization.rounds_at_random:  # bf16 weights: no loop of a few lines could update them
            self._optimization.update(self._optimization.unscaled_norm(1.0))
            return
        if self._max_grad_norm > 0:
            nn.utils.clip_grad_norm_(self._parameters, self._max_grad_norm)
        self._optimization.optimizer.step()
        self._optimization.optimizer.zero_grad()

    def _loss(self) -> Tensor:
        inputs, model = self._inputs, self._model
        with autocast(self._settled.precision, self._settled.device):
            captions = inputs.captions
            embedding = captions if isinstance(captions, TextEmbedding) else model.encode_text(captions)
            pred = model.denoise(inputs.x, self._t, model.conditioning(embedding, inputs.geometry))
        loss = functional.mse_loss(pred[: inputs.instances].float(), self._noise[: inputs.instances])
        if inputs.instances == len(inputs.x):
            return loss
        prior = functional.mse_loss(pred[inputs.instances :].float(), self._noise[inputs.instances :])
        return loss + self._prior_weight * prior
