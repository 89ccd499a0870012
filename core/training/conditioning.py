"""What the UNet is conditioned on: captions through the text encoders, live while they train, cached afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from core.data.caches import TextCache, send
from core.families.model import Model, TextEmbedding
from core.sampling.denoising import prompt_embedding


class Conditioning:
    """The captions of all items, and the previews' prompts.

    `of` and `prompt` go through the text encoders until `freeze`, from memory afterwards.
    """

    def __init__(self, model: Model, captions: Sequence[str], prompts: Sequence[str], device: torch.device) -> None:
        self._model = model
        self._device = device
        self._captions = list(captions)
        self._prompts = list(prompts)
        unique = list(dict.fromkeys(captions))
        row = {caption: place for place, caption in enumerate(unique)}
        self._rows = [row[caption] for caption in captions]
        self._tokens = {name: ids.to(device) for name, ids in model.tokenize(unique).items()}
        self._cache: TextCache | None = None

    @property
    def frozen(self) -> bool:
        return self._cache is not None

    def of(self, items: Sequence[int]) -> TextEmbedding:
        """The embeddings (B, 77, D) of these items' captions, on the device; with a gradient until `freeze`."""
        if self._cache is not None:
            return TextEmbedding(**self._cache.embeddings([self._captions[item] for item in items]))
        rows = send(torch.tensor([self._rows[item] for item in items]), self._device)
        return self._model.encode_text({name: ids[rows] for name, ids in self._tokens.items()})

    def prompt(self, text: str) -> TextEmbedding:
        """The embedding (1, 77, D) of a preview's prompt, without gradient."""
        if self._cache is not None:
            return TextEmbedding(**self._cache.embeddings([text]))
        return prompt_embedding(self._model, text)

    def freeze(self) -> None:
        """Cache every caption and prompt as the text encoders see them now; these are not needed any more."""
        cache = TextCache(lambda caption: prompt_embedding(self._model, caption).tensors(), self._device)
        cache.prepare([*self._captions, *self._prompts])
        self._cache = cache
