"""Tiny random pipelines of every family with CLIP's real vocabulary: they train in seconds on a CPU.

`python -m tests.tiny PATH [FAMILY]` writes one by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from core.families.vocabulary import END, START, merges, vocabulary
from core.files import hash_file

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def clip_tokenizer(pad_token: str = END) -> CLIPTokenizer:
    """transformers' own tokenizer with the shipped vocabulary."""
    return CLIPTokenizer(vocab=vocabulary(), merges=list(merges()), bos_token=START, eos_token=END, unk_token=END,
                         pad_token=pad_token, model_max_length=77)  # fmt: skip


def _unet(**changes: Any) -> UNet2DConditionModel:
    config: dict[str, Any] = {
        "sample_size": 32,
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 4,
        "cross_attention_dim": 32,
    }
    return UNet2DConditionModel(**config | changes).eval()


def _vae(**changes: Any) -> AutoencoderKL:
    return AutoencoderKL(
        sample_size=64,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
        norm_num_groups=8,
        **changes,
    ).eval()


def _text_config(**changes: Any) -> CLIPTextConfig:
    config: dict[str, Any] = {
        "vocab_size": 49408,
        "hidden_size": 32,
        "intermediate_size": 64,
        "projection_dim": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }
    return CLIPTextConfig(**config | changes)


def _pndm(**changes: Any) -> PNDMScheduler:
    return PNDMScheduler(**BETAS, steps_offset=1, skip_prk_steps=True, **changes)


def _sd1(**scheduler: Any) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        unet=_unet(),
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config()).eval(),
        tokenizer=clip_tokenizer(),
        scheduler=_pndm(**scheduler),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sd2_base(**scheduler: Any) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        unet=_unet(use_linear_projection=True, attention_head_dim=(2, 4)),
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config(hidden_act="gelu", num_hidden_layers=3)).eval(),
        tokenizer=clip_tokenizer("!"),
        scheduler=_pndm(**scheduler),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sd2(**scheduler: Any) -> StableDiffusionPipeline:
    pipeline = _sd2_base()
    predicts = {"prediction_type": "v_prediction"} | scheduler
    pipeline.register_modules(scheduler=DDIMScheduler(**BETAS, steps_offset=1, clip_sample=False, **predicts))
    return pipeline


def _sdxl(**scheduler: Any) -> StableDiffusionXLPipeline:
    """The text encoders are of two widths, as the real ones are: diffusers tells them by it."""
    second = _text_config(hidden_act="gelu", hidden_size=48, num_hidden_layers=3, projection_dim=40)
    return StableDiffusionXLPipeline(
        unet=_unet(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            cross_attention_dim=32 + 48,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=40 + 6 * 8,
        ),
        vae=_vae(scaling_factor=0.13025),
        text_encoder=CLIPTextModel(_text_config()).eval(),
        text_encoder_2=CLIPTextModelWithProjection(second).eval(),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer("!"),
        scheduler=EulerDiscreteScheduler(**BETAS, steps_offset=1, timestep_spacing="leading", **scheduler),
        add_watermarker=False,
    )


_PIPELINES: dict[str, Callable[..., DiffusionPipeline]] = {
    "sd1": _sd1,
    "sd2-base": _sd2_base,
    "sd2": _sd2,
    "sdxl": _sdxl,
}
FAMILY_IDS = tuple(_PIPELINES)


def tiny_pipeline(family: str = "sd1", *, seed: int = 0, **scheduler: Any) -> Any:
    """64 px native: latents of 32 × 32, a VAE that halves once. `scheduler`: keys of its config to change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _PIPELINES[family](**scheduler)


def make_tiny(family: str, path: Path, *, seed: int = 0, **scheduler: Any) -> Path:
    """Write the pipeline as a diffusers folder, as diffusers itself does, and return its path."""
    tiny_pipeline(family, seed=seed, **scheduler).save_pretrained(path, safe_serialization=True)
    return Path(path)


def read_pipeline(folder: Path, **settings: Any) -> Any:
    """The pipeline of a diffusers folder as diffusers reads it.

    Tokenizers with the same files are read once: half a second each, and every tiny model has the same words.
    """
    return DiffusionPipeline.from_pretrained(folder, local_files_only=True, **tokenizers_of(folder), **settings)


def tokenizers_of(folder: Path) -> dict[str, CLIPTokenizer]:
    """Component → tokenizer of a diffusers folder, as transformers reads it. Not to be changed: others have it too."""
    found = {}
    for part in sorted(folder.glob("tokenizer*")):
        files = tuple((file.name, hash_file(file)) for file in sorted(part.iterdir()))
        if files not in _READ:
            _READ[files] = CLIPTokenizer.from_pretrained(part, local_files_only=True)
        found[part.name] = _READ[files]
    return found


_READ: dict[tuple[tuple[str, str], ...], CLIPTokenizer] = {}


def make_tiny_sd1(path: Path, *, seed: int = 0, prediction_type: str = "epsilon") -> Path:
    """`make_tiny` for the first family."""
    return make_tiny("sd1", path, seed=seed, prediction_type=prediction_type)


def change_json(path: Path, **changes: object) -> None:
    """Set keys of a JSON file: how tests make one config wrong."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


if __name__ == "__main__":
    print(make_tiny(sys.argv[2] if len(sys.argv) > 2 else "sd1", Path(sys.argv[1])))
