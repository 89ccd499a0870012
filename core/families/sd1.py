"""Stable Diffusion 1.x: one CLIP-L text encoder, its last layer with the final norm, padded with the end token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.families.family import UNET, Family, TextEncoder

if TYPE_CHECKING:
    from core.families.stored import StoredTensor


def _is_file(tensors: Mapping[str, StoredTensor]) -> bool:
    """Told by what the others have. One without a text encoder is incomplete, and said to be."""
    others = ("cond_stage_model.model.", "conditioner.")
    return any(name.startswith(UNET) for name in tensors) and not any(name.startswith(others) for name in tensors)


def _is_unet(config: Mapping[str, Any]) -> bool:
    if config.get("addition_embed_type") == "text_time":
        return False
    return not config.get("use_linear_projection") and config.get("cross_attention_dim") != 1024


SD1 = Family(
    id="sd1",
    title="Stable Diffusion 1",
    resolution=512,
    pipeline="StableDiffusionPipeline",
    modelspec="stable-diffusion-v1",
    kohya="sd_v1",
    encoders=(TextEncoder(),),
    is_file=_is_file,
    is_unet=_is_unet,
    empty_parts=("safety_checker", "feature_extractor", "image_encoder"),
    switches={"requires_safety_checker": False},
)
