"""What tells one Stable Diffusion from another, as frozen values. Nothing outside this room asks for a family's id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).with_name("configs")

Configs = Mapping[str, Mapping[str, Any]]
"""Component (unet, vae, text_encoder, scheduler) → its config as diffusers and transformers write it."""


@dataclass(frozen=True)
class Family:
    """`resolution` in px is only for files without a config; `modelspec` is the architecture in SAI's ModelSpec."""

    id: str
    title: str
    resolution: int
    pipeline: str
    """The pipeline class in a diffusers folder's model_index.json."""
    text_encoders: tuple[str, ...]
    tokenizers: tuple[str, ...]
    modelspec: str

    @property
    def components(self) -> tuple[str, ...]:
        """The networks, in the order in which files hold them."""
        return ("unet", "vae", *self.text_encoders)

    def shipped_configs(self) -> Configs:
        """The configs of the family's own published model, for single files that carry none."""
        return {name: _shipped(self.id, name) for name in (*self.components, "scheduler")}

    def shipped_tokenizer(self) -> Mapping[str, Any]:
        """Its tokenizer_config.json; the words are those of `vocabulary`."""
        return _shipped(self.id, "tokenizer")


@lru_cache(maxsize=32)
def _shipped(family: str, name: str) -> Mapping[str, Any]:
    config: Mapping[str, Any] = json.loads((CONFIGS / family / f"{name}.json").read_text(encoding="utf-8"))
    return config
