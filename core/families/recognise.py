"""What a file full of tensors is where it is no model to train, told from names and shapes. What is one is told by
the families themselves (`Family.is_file`, `Family.is_unet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.families.family import UNET
from core.families.stored import StoredTensor
from core.texts import Texts, say

Tensors = Mapping[str, StoredTensor]

_FIRST_CONVOLUTION = UNET + "input_blocks.0.0.weight"
_CROSS_ATTENTION = "attn2.to_k.weight"
_TEXT_ENCODERS = ("cond_stage_model.", "conditioner.")

FOUND = Texts("found", {
    "refiner": "a Stable Diffusion XL refiner",
    "xl-inpainting": "a Stable Diffusion XL inpainting model",
    "inpainting": "an inpainting model",
    "instruct": "an InstructPix2Pix model",
    "depth": "a depth-to-image model",
    "upscaling": "an upscaling model",
    "controlnet-pipeline": "a ControlNet pipeline",
    "controlnet": "a ControlNet",
    "sd3": "a Stable Diffusion 3 model",
    "flux": "a FLUX model",
    "lora": "a LoRA (a small addition to a model, not a model)",
    "embedding": "a textual inversion (a word, not a model)",
    "unet": "only the UNet out of a diffusers folder",
    "unet-xl": "only the UNet of a Stable Diffusion XL model",
    "unet-2": "only the UNet of a Stable Diffusion 2 model",
    "vae": "only a VAE",
    "text-encoder": "only a text encoder",
    "other": "something other than a Stable Diffusion model",
})  # fmt: skip

PIPELINES: Mapping[str, str] = {
    "StableDiffusionXLImg2ImgPipeline": "refiner",
    "StableDiffusionXLInpaintPipeline": "xl-inpainting",
    "StableDiffusionInpaintPipeline": "inpainting",
    "StableDiffusionInstructPix2PixPipeline": "instruct",
    "StableDiffusionDepth2ImgPipeline": "depth",
    "StableDiffusionUpscalePipeline": "upscaling",
    "StableDiffusionControlNetPipeline": "controlnet-pipeline",
    "StableDiffusion3Pipeline": "sd3",
    "FluxPipeline": "flux",
}
"""Pipelines of diffusers that people own and that are not trained here → their ids in `FOUND`."""


def foreign_single_file(tensors: Tensors) -> str | None:
    """What a single file is where it is none of the models that are trained here ("a LoRA", …), else `None`."""
    names = tensors.keys()
    if is_lora(names):
        return FOUND["lora"]
    if any(name.startswith("control_model.") or name.startswith("controlnet_cond_embedding.") for name in names):
        return FOUND["controlnet"]
    if "emb_params" in names or "string_to_param" in names:
        return FOUND["embedding"]
    if any(name.startswith("conditioner.embedders.0.model.") for name in names):
        return FOUND["refiner"]
    if any("joint_blocks." in name for name in names):
        return FOUND["sd3"]
    if any("double_blocks." in name for name in names):
        return FOUND["flux"]
    if any(name.startswith(UNET) for name in names):
        return _foreign_unet(tensors)
    if any(name.startswith(("down_blocks.", "up_blocks.")) for name in names):
        return FOUND["unet"]
    if any(name.startswith(("first_stage_model.", "encoder.conv_in.", "decoder.conv_in.")) for name in names):
        return FOUND["vae"]
    if any("embeddings.token_embedding.weight" in name or name.startswith(_TEXT_ENCODERS) for name in names):
        return FOUND["text-encoder"]
    return FOUND["other"]


def special_input(channels: object) -> str | None:
    """What a UNet is whose input is not the four channels of a picture's latents."""
    if channels == 4:
        return None
    known = {9: "inpainting", 8: "instruct", 5: "depth", 7: "upscaling"}
    if isinstance(channels, int) and channels in known:
        return say("found.special", "{what} (its UNet takes {channels} channels, not 4)", what=FOUND[known[channels]],
                   channels=channels)  # fmt: skip
    return say("found.channels", "a model whose UNet takes {channels} channels, not 4", channels=channels)


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
        return FOUND["unet-xl"]
    widths = {tensor.shape[-1] for name, tensor in tensors.items() if name.endswith(_CROSS_ATTENTION) and tensor.shape}
    if widths == {1024}:
        return FOUND["unet-2"]
    if widths == {2048}:
        return FOUND["unet-xl"]
    return None
