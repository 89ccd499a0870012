"""Stable Diffusion 2.x: OpenCLIP's ViT-H, its layer before the last with the final norm, padded with id 0.

The published text encoder has 23 of OpenCLIP's 24 layers, so that its last is the one that is used. The base model
(512 px) predicts the noise, the other (768 px) v (Salimans & Ho 2022); nothing else tells one from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.families.family import Family, TextEncoder

if TYPE_CHECKING:
    from core.families.stored import StoredTensor


def _is_file(tensors: Mapping[str, StoredTensor]) -> bool:
    return any(name.startswith("cond_stage_model.model.") for name in tensors)


def _is_unet(config: Mapping[str, Any]) -> bool:
    if config.get("addition_embed_type") == "text_time":
        return False
    return bool(config.get("use_linear_projection")) or config.get("cross_attention_dim") == 1024


SD2_BASE = Family(
    id="sd2-base",
    title="Stable Diffusion 2 base",
    resolution=512,
    pipeline="StableDiffusionPipeline",
    modelspec="stable-diffusion-v2-512",
    kohya="sd_v2",
    encoders=(TextEncoder(prefix="cond_stage_model.model.", openclip=True),),
    is_file=_is_file,
    is_unet=_is_unet,
    predictions=("epsilon", "sample"),
    empty_parts=("safety_checker", "feature_extractor", "image_encoder"),
    switches={"requires_safety_checker": False},
)

SD2 = replace(
    SD2_BASE,
    id="sd2",
    title="Stable Diffusion 2",
    resolution=768,
    modelspec="stable-diffusion-v2-768-v",
    kohya="sd_v2_v",
    predictions=("v_prediction",),
)
