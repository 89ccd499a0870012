"""Latents of pictures as they are seen in a step: out of the cache, or encoded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from core.data.caches import LatentCache, LatentTable, send, table_room
from core.data.pictures import to_array
from core.data.sizes import Size
from core.data.views import View, finished, scaled, weights_of
from core.texts import UserError, path_in_words

HELD_BYTES = 2**30
"""Of pictures at their training scale, kept in the host's memory so that files are not decoded at each step."""


class Latents(Protocol):
    """Where the latents of a run come from. All views of one `draw` have one size."""

    device: torch.device

    def shape(self, size: Size) -> tuple[int, int, int]:
        """(C, h, w) of a picture of this size."""
        ...

    def draw(self, views: Sequence[View], noise: Tensor) -> Tensor:
        """One sample of the posterior for each view, scaled, on the device; `noise` (B, C, h, w) on the device."""
        ...


class CachedLatents:
    """Latents that were encoded before (`cache.prepare(views)`), one table a size.

    Each size's share of the device's memory (see `table_room`) is what the sizes before it left.
    """

    def __init__(self, cache: LatentCache, views: Sequence[View], device: torch.device) -> None:
        by_size: dict[Size, dict[View, int]] = {}
        for view in views:
            rows = by_size.setdefault(view.size, {})
            rows.setdefault(view, len(rows))
        self._rows = by_size
        self._tables: dict[Size, LatentTable] = {}
        room = table_room(device)
        for size, rows in by_size.items():
            table = self._tables[size] = cache.load(list(rows), device, room=room)
            self.device = table.device
            if table.mean.device == table.device:
                room -= 2 * table.mean.nbytes

    def shape(self, size: Size) -> tuple[int, int, int]:
        channels, height, width = self._tables[size].shape
        return channels, height, width

    def draw(self, views: Sequence[View], noise: Tensor) -> Tensor:
        size = views[0].size
        return self._tables[size].draw([self._rows[size][view] for view in views], noise)


class LiveLatents:
    """Pictures opened, cut and encoded whenever they are asked for, one at a time, so that their bits do not depend on
    the batch.

    `encode` is that of the cache; `channels` and `factor` are the VAE's, which has to stay on `device`.
    """

    def __init__(
        self,
        encode: Callable[[Tensor], tuple[Tensor, Tensor]],
        *,
        scaling: float,
        channels: int,
        factor: int,
        device: torch.device,
    ) -> None:
        self.device = device
        self._encode = encode
        self._scaling = scaling
        self._channels, self._factor = channels, factor
        self._held: dict[tuple[Path, Size, bool], Image.Image] = {}
        self._room = HELD_BYTES

    def shape(self, size: Size) -> tuple[int, int, int]:
        return self._channels, size.height // self._factor, size.width // self._factor

    @torch.no_grad()
    def draw(self, views: Sequence[View], noise: Tensor) -> Tensor:
        moments = [self._encode(send(self._pixels(view)[None], self.device)) for view in views]
        mean, std = (torch.cat(parts).float() for parts in zip(*moments, strict=True))
        return torch.addcmul(mean, std, noise) * self._scaling

    def _pixels(self, view: View) -> Tensor:
        key = (view.item.path, view.size, view.place is None)
        image = self._held.get(key)
        if image is None:
            image = scaled(view)
            taken = image.width * image.height * len(image.getbands())
            if taken <= self._room:
                self._room -= taken
                self._held[key] = image
        return torch.from_numpy(to_array(finished(image, view)))


class Masks:
    """How much each latent counts. A view whose picture has no mask counts whole.

    With `views` all that may be asked for is looked at now, and a mask that leaves nothing of its picture is refused
    (`UserError`); what they do not name (random cuts) is looked at when it is asked for.
    """

    def __init__(self, views: Iterable[View], shape: Callable[[Size], tuple[int, int, int]]) -> None:
        self._shape = shape
        self._known: dict[View, Tensor | None] = {}
        for view in views:
            weights = self._known[view] = self._look(view)
            if weights is not None and not weights.any():
                raise UserError(
                    "picture.mask-empty", "The mask of {path} leaves nothing to learn: it is black wherever the "
                    "training picture is cut.", mend="Paint white what counts, leave the picture out, or turn "
                    "Masks (images.mask) off.", path=path_in_words(view.item.path),
                )  # fmt: skip

    def of(self, views: Sequence[View]) -> Tensor | None:
        """(B, 1, h, w) on the host, from 0 to 1; `None` where all count whole."""
        found = [self._known[view] if view in self._known else self._look(view) for view in views]
        if all(weights is None for weights in found):
            return None
        _, height, width = self._shape(views[0].size)
        return torch.stack([torch.ones(1, height, width) if weights is None else weights for weights in found])

    def _look(self, view: View) -> Tensor | None:
        weights = weights_of(view, *self._shape(view.size)[1:])
        return None if weights is None else torch.from_numpy(weights)
