"""The networks of the embedded model: Stable Diffusion 1's own kinds, small enough to train on two cores."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from core.demo.recipe.scenes import SIDE

_TEXT_WIDTH = 64


def new_autoencoder() -> AutoencoderKL:
    """Pictures of 64 × 64 px to latents of (4, 16, 16); 2.7 M parameters."""
    return AutoencoderKL(
        sample_size=SIDE,
        block_out_channels=(32, 64, 128),
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=16,
    )


def new_unet() -> UNet2DConditionModel:
    """Three levels, attention to the words on the lower two; 8.5 M parameters."""
    return UNet2DConditionModel(
        sample_size=SIDE // 4,
        block_out_channels=(64, 128, 160),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,  # heads, by diffusers' name for it
        cross_attention_dim=_TEXT_WIDTH,
        norm_num_groups=32,
    )


def new_text_encoder() -> CLIPTextModel:
    """CLIP's text encoder, 3 layers of 64, with CLIP's whole vocabulary; 3.3 M parameters."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=_TEXT_WIDTH,
            intermediate_size=4 * _TEXT_WIDTH,
            projection_dim=_TEXT_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=77,
            hidden_act="quick_gelu",
            bos_token_id=0,
            eos_token_id=2,
            pad_token_id=1,
        )
    )


def fast(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """The network compiled where that pays: on a GPU, where small networks mostly wait for their launches."""
    if device.type == "cuda":
        network.compile()
    return network


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def noise_schedule() -> DDIMScheduler:
    """Stable Diffusion 1's own noise schedule, predicting the noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def write_folder(
    out: Path, unet: UNet2DConditionModel, autoencoder: AutoencoderKL, text_encoder: CLIPTextModel
) -> None:
    """Write the networks as a diffusers folder in half precision; the tokenizer is the one that the package ships."""
    for name, network in (("unet", unet), ("vae", autoencoder), ("text_encoder", text_encoder)):
        network.to(device="cpu", dtype=torch.float16, memory_format=torch.contiguous_format)
        network.save_pretrained(out / name, safe_serialization=True)
        config = json.loads((out / name / "config.json").read_text())
        config.pop("_name_or_path", None)  # where it was made is nobody's business
        (out / name / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    noise_schedule().save_pretrained(out / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
