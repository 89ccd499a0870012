"""Stable Diffusion XL (Podell et al. 2023): CLIP-L and OpenCLIP's ViT-bigG side by side, each its layer before the
last without the final norm; the pooled embedding of the second; six numbers of the picture's geometry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.families.family import Family, TextEncoder

if TYPE_CHECKING:
    from core.families.family import Tensor
    from core.families.stored import StoredTensor


def _is_file(tensors: Mapping[str, StoredTensor]) -> bool:
    return any(name.startswith("conditioner.embedders.1.") for name in tensors)


def _is_unet(config: Mapping[str, Any]) -> bool:
    return config.get("addition_embed_type") == "text_time"


def _conditioning(hidden: Tensor, pooled: Tensor | None, geometry: Tensor) -> dict[str, Any]:
    """The geometry is the time ids, in fp32: bf16 knows no 1001."""
    return {
        "encoder_hidden_states": hidden,
        "added_cond_kwargs": {"text_embeds": pooled, "time_ids": geometry},
    }


SDXL = Family(
    id="sdxl",
    title="Stable Diffusion XL",
    resolution=1024,
    pipeline="StableDiffusionXLPipeline",
    modelspec="stable-diffusion-xl-v1-base",
    kohya="sdxl_base_v1-0",
    encoders=(
        TextEncoder(prefix="conditioner.embedders.0.transformer.", penultimate=True),
        TextEncoder(
            component="text_encoder_2",
            tokenizer="tokenizer_2",
            prefix="conditioner.embedders.1.model.",
            openclip=True,
            penultimate=True,
            projects=True,
        ),
    ),
    is_file=_is_file,
    is_unet=_is_unet,
    conditioning=_conditioning,
    added_embedding="text_time",
    empty_parts=("feature_extractor", "image_encoder"),
    switches={"force_zeros_for_empty_prompt": True},
)
