"""The loss on fixed pictures, noise and timesteps: it should fall on instance pictures and stay on class pictures.

The training loss is dominated by which timesteps were drawn; with these fixed, its change is the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from core.data.caches import send
from core.data.captions import Wording
from core.data.dataset import Dataset
from core.data.geometry import rows
from core.data.latents import Latents, Masks
from core.data.sizes import Size
from core.data.views import View
from core.families.model import Model
from core.seeds import generator
from core.training.conditioning import Conditioning
from core.training.loss import add_noise, squared_errors, target_of
from core.training.precision import autocast

DRAWS = 8
"""Forward passes for each figure: both together cost about as much as three training steps."""


class FixedNoise:
    """`DRAWS` fixed draws over some pictures, their timesteps spread over the noise schedule.

    `cuts` are the pictures' numbers in the data set, each with the size at which it is seen: cut in the middle, not
    mirrored, with its caption as it is written.
    """

    def __init__(
        self,
        latents: Latents,
        masks: Masks,
        dataset: Dataset,
        cuts: Sequence[tuple[int, Size]],
        *,
        purpose: str,
        timesteps: int,
        seed: int,
        precision: str,
    ) -> None:
        self._latents = latents
        self._masks = masks
        self._precision = precision
        chosen = [cuts[draw * len(cuts) // DRAWS if len(cuts) > DRAWS else draw % len(cuts)]
                  for draw in range(DRAWS)] if cuts else []  # fmt: skip
        chosen.sort(key=lambda cut: cut[1])
        self._wordings = [Wording(item) for item, _ in chosen]
        self._views = [View(dataset.items[item], size) for item, size in chosen]
        self._t = send(torch.linspace(0.05, 0.95, DRAWS).mul(timesteps).long(), latents.device)
        self._noise = [torch.randn(latents.shape(view.size), generator=generator(seed, purpose, 0, draw))
                       for draw, view in enumerate(self._views)]  # fmt: skip

    @torch.no_grad()
    def measure(
        self, model: Model, conditioning: Conditioning, batch_size: int, on_batch: Callable[[], None]
    ) -> float | None:
        """The mean loss; `None` where there are no pictures. Nothing of the training's state is touched."""
        errors: list[Tensor] = []
        device = self._latents.device
        for draws in self._batches(batch_size):
            on_batch()
            views, t = self._views[draws], self._t[draws]
            noise = send(torch.stack(self._noise[draws]), device)
            mask = self._masks.of(views)
            x0 = self._latents.draw(views, torch.zeros_like(noise))
            x = add_noise(model.schedule, x0, noise, t)
            geometry = send(torch.tensor(rows([view.geometry for view in views]), dtype=torch.float), device)
            with autocast(self._precision, device):
                pred = model.denoise(x, t, model.conditioning(conditioning.of(self._wordings[draws]), geometry))
            target = target_of(model.schedule, x0, noise, t)
            errors.append(squared_errors(pred, target, None if mask is None else send(mask, device)))
        return torch.cat(errors).mean().item() if errors else None

    def _batches(self, batch_size: int) -> Iterator[slice]:
        """At most so many draws at a time, each of one size."""
        start = 0
        for _, alike in groupby(self._views, key=lambda view: view.size):
            end = start + len(list(alike))
            yield from (slice(place, min(place + batch_size, end)) for place in range(start, end, batch_size))
            start = end
