"""What the UNet is conditioned on: captions through the text encoders, live while they train, cached afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from core.data.caches import TextCache, send
from core.data.captions import VARIANTS, Wording, shuffle_tags, tag_variants
from core.families.model import Model, TextEmbedding
from core.sampling.denoising import prompt_embedding


class Conditioning:
    """The captions of all items, and the previews' prompts.

    `of` and `prompt` go through the text encoders until `freeze`, from memory afterwards. What `of` may be asked for
    then is said before: `shuffles` (captions with their tags in one of `VARIANTS` orders, drawn by `seed`) and `drops`
    (the empty caption).
    """

    def __init__(
        self,
        model: Model,
        captions: Sequence[str],
        prompts: Sequence[str],
        device: torch.device,
        *,
        seed: int,
        shuffles: bool,
        drops: bool,
    ) -> None:
        self._model = model
        self._device = device
        self._captions = list(captions)
        self._seed, self._shuffles = seed, shuffles
        self._others = [*prompts, *([""] if drops else [])]
        unique = list(dict.fromkeys([*captions, ""]))
        self._rows = {caption: place for place, caption in enumerate(unique)}
        self._tokens = {name: ids.to(device) for name, ids in model.tokenize(unique).items()}
        self._cache: TextCache | None = None

    @property
    def frozen(self) -> bool:
        return self._cache is not None

    def of(self, wordings: Sequence[Wording]) -> TextEmbedding:
        """The embeddings (B, 77, D) of these wordings, on the device; with a gradient until `freeze`."""
        texts = [self.text(wording) for wording in wordings]
        if self._cache is not None:
            return TextEmbedding(**self._cache.embeddings(texts))
        if all(text in self._rows for text in texts):
            rows = send(torch.tensor([self._rows[text] for text in texts]), self._device)
            return self._model.encode_text({name: ids[rows] for name, ids in self._tokens.items()})
        tokens = self._model.tokenize(texts)
        return self._model.encode_text({name: send(ids, self._device) for name, ids in tokens.items()})

    def text(self, wording: Wording) -> str:
        """What a wording says: any order of the tags while the text encoder is live, one of a few afterwards."""
        caption = self._captions[wording.item]
        if wording.dropped:
            return ""
        if wording.tags is None:
            return caption
        if self._cache is None:
            return shuffle_tags(caption, wording.tags)
        return list(tag_variants(caption, self._seed))[wording.tags % VARIANTS]

    def prompt(self, text: str) -> TextEmbedding:
        """The embedding (1, 77, D) of a preview's prompt, without gradient."""
        if self._cache is not None:
            return TextEmbedding(**self._cache.embeddings([text]))
        return prompt_embedding(self._model, text)

    def freeze(self) -> None:
        """Cache every wording and prompt as the text encoders see them now; these are not needed any more."""
        cache = TextCache(lambda caption: prompt_embedding(self._model, caption).tensors(), self._device)
        shuffled = dict.fromkeys(self._captions) if self._shuffles else ()
        variants = [variant for caption in shuffled for variant in tag_variants(caption, self._seed)]
        cache.prepare([*self._captions, *self._others, *variants])
        self._cache = cache
