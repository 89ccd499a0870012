"""Stable Diffusion 1.x: one CLIP-L text encoder, its last layer with the final norm, padded with the end token."""

from __future__ import annotations

from core.families.family import Family

SD1 = Family(
    id="sd1",
    title="Stable Diffusion 1",
    resolution=512,
    pipeline="StableDiffusionPipeline",
    text_encoders=("text_encoder",),
    tokenizers=("tokenizer",),
    modelspec="stable-diffusion-v1",
)
