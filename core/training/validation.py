"""The loss on fixed pictures, noise and timesteps: it should fall on instance pictures and stay on class pictures.

The training loss is dominated by which timesteps were drawn; with these fixed, its change is the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.data.caches import LatentTable, send
from core.families.model import Model
from core.seeds import generator
from core.training.conditioning import Conditioning
from core.training.loss import add_noise, squared_errors, target_of
from core.training.precision import autocast

DRAWS = 8
"""Forward passes for each figure: both together cost about as much as three training steps."""


class FixedNoise:
    """`DRAWS` fixed draws over these items, their timesteps spread over the noise schedule.

    `geometry` (N, 6) is that of every picture of the data set.
    """

    def __init__(
        self,
        table: LatentTable,
        items: Sequence[int],
        geometry: Tensor,
        *,
        purpose: str,
        timesteps: int,
        seed: int,
        precision: str,
    ) -> None:
        self._table = table
        self._precision = precision
        self._items = [items[draw * len(items) // DRAWS if len(items) > DRAWS else draw % len(items)]
                       for draw in range(DRAWS)] if items else []  # fmt: skip
        self._geometry = send(geometry[self._items], table.device)
        self._t = send(torch.linspace(0.05, 0.95, DRAWS).mul(timesteps).long(), table.device)
        noise = [torch.randn(table.shape, generator=generator(seed, purpose, 0, draw)) for draw in range(DRAWS)]
        self._noise = send(torch.stack(noise), table.device)

    @torch.no_grad()
    def measure(
        self, model: Model, conditioning: Conditioning, batch_size: int, on_batch: Callable[[], None]
    ) -> float | None:
        """The mean loss; `None` where there are no pictures. Nothing of the training's state is touched."""
        errors: list[Tensor] = []
        for start in range(0, len(self._items), batch_size):
            on_batch()
            items = self._items[start : start + batch_size]
            noise, t = self._noise[start : start + batch_size], self._t[start : start + batch_size]
            geometry = self._geometry[start : start + batch_size]
            x0 = self._table.draw(items, torch.zeros_like(noise))
            x = add_noise(model.schedule, x0, noise, t)
            with autocast(self._precision, self._table.device):
                pred = model.denoise(x, t, model.conditioning(conditioning.of(items), geometry))
            errors.append(squared_errors(pred, target_of(model.schedule, x0, noise, t)))
        return torch.cat(errors).mean().item() if errors else None
