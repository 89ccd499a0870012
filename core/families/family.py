"""What tells one Stable Diffusion from another, as frozen values. Nothing outside this room asks for a family's id."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor as Tensor  # for the families' own signatures; nothing here needs torch to run

    from core.families.stored import StoredTensor

CONFIGS = Path(__file__).with_name("configs")

Configs = Mapping[str, Mapping[str, Any]]
"""Component (unet, vae, text_encoder, …), `scheduler` or `pipeline` → its config as diffusers and transformers write
it; `pipeline` holds what a model_index.json says beside the components (see `Family.switches`).
"""

UNET = "model.diffusion_model."
"""What the UNet's parameters begin with in every single file."""
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder of a family, and what the UNet is given of it."""

    component: str = "text_encoder"
    tokenizer: str = "tokenizer"
    """The folder of its tokenizer. Its shipped config (`<tokenizer>.json`) says what captions are padded with."""
    prefix: str = "cond_stage_model.transformer."
    """What its parameters begin with in a single file."""
    openclip: bool = False
    """Single files have OpenCLIP's names and layout (see `core.families.openclip`), not those of transformers."""
    penultimate: bool = False
    """The UNet sees the layer before the last, without the final norm; else the last layer with it."""
    projects: bool = False
    """It also gives the pooled embedding: the end token's, projected (`CLIPTextModelWithProjection`)."""

    @property
    def network(self) -> str:
        """Its class in transformers."""
        return "CLIPTextModelWithProjection" if self.projects else "CLIPTextModel"


def plain_conditioning(hidden: Tensor, pooled: Tensor | None, geometry: Tensor) -> dict[str, Any]:
    """For a UNet that takes the captions alone."""
    return {"encoder_hidden_states": hidden}


@dataclass(frozen=True)
class Family:
    """One kind of Stable Diffusion. Everything that differs between two kinds is here and in `configs/<id>`."""

    id: str
    title: str
    resolution: int
    """In px, for sentences only: a source's own size stands in its config."""
    pipeline: str
    """The pipeline class in a diffusers folder's model_index.json."""
    modelspec: str
    """The architecture in SAI's ModelSpec."""
    kohya: str
    """The base model's name in the metadata of LoRA files (kohya's `ss_base_model_version`)."""
    encoders: tuple[TextEncoder, ...]
    is_file: Callable[[Mapping[str, StoredTensor]], bool]
    """Whether a single file with these tensors, a UNet among them, is of this family."""
    is_unet: Callable[[Mapping[str, Any]], bool]
    """Whether a diffusers folder of this pipeline, with this config of its UNet, is of this family."""
    predictions: tuple[str, ...] = PREDICTION_TYPES
    """What models of this family predict: it decides where names and shapes fit two families."""
    conditioning: Callable[[Tensor, Tensor | None, Tensor], dict[str, Any]] = plain_conditioning
    """(hidden (B, 77, D), pooled (B, P), geometry (B, 6) fp32) → what the UNet takes beside x and t."""
    added_embedding: str | None = None
    """The UNet's `addition_embed_type`."""
    switches: Mapping[str, Any] = field(default_factory=dict)
    """What the pipeline's model_index.json holds beside the components, with the values it has if left out."""
    empty_parts: tuple[str, ...] = ()
    """Components that its model_index.json names and that are not there: `[null, null]`."""

    @property
    def text_encoders(self) -> tuple[str, ...]:
        return tuple(encoder.component for encoder in self.encoders)

    @property
    def components(self) -> tuple[str, ...]:
        """The networks, in the order in which files hold them."""
        return ("unet", "vae", *self.text_encoders)

    def encoder(self, component: str) -> TextEncoder | None:
        """The text encoder of that name; `None` for another component."""
        return next((encoder for encoder in self.encoders if encoder.component == component), None)

    def prefix(self, component: str) -> str:
        """What a component's parameters begin with in a single file."""
        encoder = self.encoder(component)
        return encoder.prefix if encoder else {"unet": UNET, "vae": "first_stage_model."}[component]

    def shipped_configs(self) -> Configs:
        """The configs of the family's own published model, for single files that carry none."""
        shipped = {name: _shipped(self.id, name) for name in (*self.components, "scheduler")}
        return shipped | {"pipeline": self.switches}

    def shipped_tokenizer(self, folder: str) -> Mapping[str, Any]:
        """The tokenizer_config.json of one of its tokenizers; the words are those of `vocabulary`."""
        return _shipped(self.id, folder)


@lru_cache(maxsize=64)
def _shipped(family: str, name: str) -> Mapping[str, Any]:
    config: Mapping[str, Any] = json.loads((CONFIGS / family / f"{name}.json").read_text(encoding="utf-8"))
    return config
