"""What a file full of tensors is where it is no model to train, told from names and shapes. What is one is told by
the families themselves (`Family.is_file`, `Family.is_unet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.families.family import UNET
from core.families.stored import StoredTensor

Tensors = Mapping[str, StoredTensor]

_FIRST_CONVOLUTION = UNET + "input_blocks.0.0.weight"
_CROSS_ATTENTION = "attn2.to_k.weight"
_TEXT_ENCODERS = ("cond_stage_model.", "conditioner.")

PIPELINES: Mapping[str, str] = {
    "StableDiffusionXLImg2ImgPipeline": "a Stable Diffusion XL refiner",
    "StableDiffusionXLInpaintPipeline": "a Stable Diffusion XL inpainting model",
    "StableDiffusionInpaintPipeline": "an inpainting model",
    "StableDiffusionInstructPix2PixPipeline": "an InstructPix2Pix model",
    "StableDiffusionDepth2ImgPipeline": "a depth-to-image model",
    "StableDiffusionUpscalePipeline": "an upscaling model",
    "StableDiffusionControlNetPipeline": "a ControlNet pipeline",
    "StableDiffusion3Pipeline": "a Stable Diffusion 3 model",
    "FluxPipeline": "a FLUX model",
}
"""Pipelines of diffusers that people own and that are not trained here."""


def foreign_single_file(tensors: Tensors) -> str | None:
    """What a single file is where it is none of the models that are trained here ("a LoRA", …), else `None`."""
    names = tensors.keys()
    if is_lora(names):
        return "a LoRA (a small addition to a model, not a model)"
    if any(name.startswith("control_model.") or name.startswith("controlnet_cond_embedding.") for name in names):
        return "a ControlNet"
    if "emb_params" in names or "string_to_param" in names:
        return "a textual inversion (a word, not a model)"
    if any(name.startswith("conditioner.embedders.0.model.") for name in names):
        return "a Stable Diffusion XL refiner"
    if any("joint_blocks." in name for name in names):
        return "a Stable Diffusion 3 model"
    if any("double_blocks." in name for name in names):
        return "a FLUX model"
    if any(name.startswith(UNET) for name in names):
        return _foreign_unet(tensors)
    if any(name.startswith(("down_blocks.", "up_blocks.")) for name in names):
        return "only the UNet out of a diffusers folder"
    if any(name.startswith(("first_stage_model.", "encoder.conv_in.", "decoder.conv_in.")) for name in names):
        return "only a VAE"
    if any("embeddings.token_embedding.weight" in name or name.startswith(_TEXT_ENCODERS) for name in names):
        return "only a text encoder"
    return "something other than a Stable Diffusion model"


def special_input(channels: object) -> str | None:
    """What a UNet is whose input is not the four channels of a picture's latents."""
    known = {9: "an inpainting model (its UNet takes 9 channels, not 4)",
             8: "an InstructPix2Pix model (its UNet takes 8 channels, not 4)",
             5: "a depth-to-image model (its UNet takes 5 channels, not 4)",
             7: "an upscaling model (its UNet takes 7 channels, not 4)"}  # fmt: skip
    if channels == 4:
        return None
    return known.get(channels) if isinstance(channels, int) and channels in known else (
        f"a model whose UNet takes {channels} channels, not 4"
    )  # fmt: skip


def is_lora(names: Any) -> bool:
    return any(
        name.startswith(("lora_unet_", "lora_te")) or ".lora_" in name or "lora.down" in name or "lora.up" in name
        or ".hada_w" in name or ".lokr_w" in name
        for name in names
    )  # fmt: skip


def _foreign_unet(tensors: Tensors) -> str | None:
    first = tensors.get(_FIRST_CONVOLUTION)
    if first is not None and len(first.shape) == 4 and (special := special_input(first.shape[1])):
        return special
    if any(name.startswith(_TEXT_ENCODERS) for name in tensors):
        return None
    if any(name.startswith(UNET + "label_emb.") for name in tensors):
        return "only the UNet of a Stable Diffusion XL model"
    widths = {tensor.shape[-1] for name, tensor in tensors.items() if name.endswith(_CROSS_ATTENTION) and tensor.shape}
    if widths == {1024}:
        return "only the UNet of a Stable Diffusion 2 model"
    if widths == {2048}:
        return "only the UNet of a Stable Diffusion XL model"
    return None
