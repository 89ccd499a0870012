"""From the batch plan's slots to tensors on the device: latents, noise and timesteps, instance pictures first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.caches import LatentTable, send
from core.data.dataset import Dataset
from core.data.geometry import centre_crop, rows
from core.seeds import generator
from core.training.passes import Pass


def geometries(dataset: Dataset, side: int) -> Tensor:
    """(N, 6) fp32 on the host: the geometry of every picture, cut to a square of `side` px."""
    return torch.tensor(rows([centre_crop(item.width, item.height, side) for item in dataset.items]), dtype=torch.float)


@dataclass(frozen=True)
class Batch:
    """One forward pass, ordered [instance…, class…]; latents and noise (B, C, h, w), t (B,), geometry (B, 6) fp32 (the
    numbers of `Geometry`, in its order).
    """

    items: tuple[int, ...]
    x0: Tensor
    noise: Tensor
    t: Tensor
    geometry: Tensor
    instances: int


class Assembler:
    """Draws everything random of a slot on the CPU, by (seed, purpose, step, slot), and sends it in one go.

    `geometry` (N, 6) is that of every picture, `timesteps` the length of the model's noise schedule.
    """

    def __init__(
        self,
        table: LatentTable,
        dataset: Dataset,
        geometry: Tensor,
        *,
        timesteps: int,
        offset_noise: float,
        seed: int,
    ) -> None:
        self._table = table
        self._first_instance, self._first_prior = dataset.first_instance, dataset.first_prior
        self._geometry = geometry
        self._timesteps = timesteps
        self._offset_noise = offset_noise
        self._seed = seed

    def batch(self, step: int, these: Pass) -> Batch:
        """The tensors of one pass of the effective batch of `step`. Nothing here waits for the device."""
        items = [self._first_instance[slot.concept] + slot.instance for slot in these.instances]
        items += [self._first_prior[slot.concept] + slot.prior for slot in these.priors if slot.prior is not None]
        draws = [self._draw("instance", step, slot.index) for slot in these.instances]
        draws += [self._draw("prior", step, slot.index) for slot in these.priors]
        posterior, noise, t = (send(torch.stack(part), self._table.device) for part in zip(*draws, strict=True))
        geometry = send(self._geometry[items], self._table.device)
        return Batch(tuple(items), self._table.draw(items, posterior), noise, t, geometry, len(these.instances))

    def _draw(self, purpose: str, step: int, slot: int) -> tuple[Tensor, Tensor, Tensor]:
        """Posterior noise and noise (C, h, w), and a timestep, of one picture of one slot."""
        random = generator(self._seed, purpose, step, slot)
        t = torch.randint(self._timesteps, (), generator=random)
        noise = torch.randn(self._table.shape, generator=random)
        posterior = torch.randn(self._table.shape, generator=random)
        if self._offset_noise:
            noise += self._offset_noise * torch.randn((self._table.shape[0], 1, 1), generator=random)
        return posterior, noise, t
