"""From the batch plan's slots to tensors on the device: latents, noise and timesteps, instance pictures first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.batches import Slot
from core.data.caches import send
from core.data.captions import Wording
from core.data.dataset import Dataset
from core.data.geometry import rows
from core.data.latents import Latents, Masks
from core.data.views import View
from core.seeds import derive, generator
from core.training.passes import Pass


@dataclass(frozen=True)
class Augmentation:
    """What is drawn anew for each slot: `mirrors` half of the pictures, cuts them at a `random` place, drops this share
    of their captions, shuffles the tags of the others.
    """

    mirrors: bool
    random_places: bool
    caption_dropout: float
    shuffles_tags: bool


@dataclass(frozen=True)
class Batch:
    """One forward pass, ordered [instance…, class…]; latents and noise (B, C, h, w), t (B,), geometry (B, 6) fp32 (the
    numbers of `Geometry`, in its order), mask (B, 1, h, w) from 0 to 1 or `None`: all count whole.
    """

    wordings: tuple[Wording, ...]
    x0: Tensor
    noise: Tensor
    t: Tensor
    geometry: Tensor
    mask: Tensor | None
    instances: int


class Assembler:
    """Draws everything random of a slot on the CPU, by (seed, purpose, step, slot), and sends it in one go.

    `timesteps` is the length of the model's noise schedule.
    """

    def __init__(
        self,
        latents: Latents,
        masks: Masks,
        dataset: Dataset,
        augmentation: Augmentation,
        *,
        timesteps: int,
        offset_noise: float,
        seed: int,
    ) -> None:
        self._latents = latents
        self._masks = masks
        self._items, self._concepts = dataset.items, dataset.concepts
        self._first_instance, self._first_prior = dataset.first_instance, dataset.first_prior
        self._augmentation = augmentation
        self._timesteps = timesteps
        self._offset_noise = offset_noise
        self._seed = seed

    def batch(self, step: int, these: Pass) -> Batch:
        """The tensors of one pass of the effective batch of `step`. Nothing here waits for the device."""
        places = [("instance", slot, self._first_instance[slot.concept] + slot.instance) for slot in these.instances]
        places += [("prior", slot, self._first_prior[slot.concept] + slot.prior) for slot in these.priors
                   if slot.prior is not None]  # fmt: skip
        views = [self._view(purpose, step, slot, item) for purpose, slot, item in places]
        draws = [self._draw(purpose, step, slot.index, self._latents.shape(view.size))
                 for (purpose, slot, _), view in zip(places, views, strict=True)]  # fmt: skip
        device = self._latents.device
        posterior, noise, t = (send(torch.stack(part), device) for part in zip(*draws, strict=True))
        geometry = torch.tensor(rows([view.geometry for view in views]), dtype=torch.float)
        mask = self._masks.of(views)
        return Batch(
            wordings=tuple(self._wording(purpose, step, slot.index, item) for purpose, slot, item in places),
            x0=self._latents.draw(views, posterior),
            noise=noise,
            t=t,
            geometry=send(geometry, device),
            mask=None if mask is None else send(mask, device),
            instances=len(these.instances),
        )

    def _view(self, purpose: str, step: int, slot: Slot, item: int) -> View:
        """A class picture is cut to the size of the instance picture that it stands beside."""
        size = self._concepts[slot.concept].sizes[slot.instance]
        mirrored = self._augmentation.mirrors and self._chance(f"{purpose}-mirror", step, slot.index) < 0.5
        random = self._augmentation.random_places
        place = self._chance(f"{purpose}-place", step, slot.index) if random else None
        return View(self._items[item], size, mirrored, place)

    def _wording(self, purpose: str, step: int, slot: int, item: int) -> Wording:
        dropout = self._augmentation.caption_dropout
        if dropout and self._chance(f"{purpose}-dropout", step, slot) < dropout:
            return Wording(item, dropped=True)
        shuffles = self._augmentation.shuffles_tags
        return Wording(item, derive(self._seed, f"{purpose}-tags", step, slot) if shuffles else None)

    def _chance(self, purpose: str, step: int, slot: int) -> float:
        """A number from 0 up to 1."""
        return derive(self._seed, purpose, step, slot) / 2**63

    def _draw(self, purpose: str, step: int, slot: int, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Posterior noise and noise (C, h, w), and a timestep, of one picture of one slot."""
        random = generator(self._seed, purpose, step, slot)
        t = torch.randint(self._timesteps, (), generator=random)
        noise = torch.randn(shape, generator=random)
        posterior = torch.randn(shape, generator=random)
        if self._offset_noise:
            noise += self._offset_noise * torch.randn((shape[0], 1, 1), generator=random)
        return posterior, noise, t
