"""A tiny random Stable Diffusion 1 pipeline with CLIP's real vocabulary: trains in seconds on a CPU.

`python -m tests.tiny PATH` writes one by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from core.families.vocabulary import END, START, merges, vocabulary


def clip_tokenizer() -> CLIPTokenizer:
    """transformers' own tokenizer with the shipped vocabulary."""
    return CLIPTokenizer(vocab=vocabulary(), merges=list(merges()), bos_token=START, eos_token=END, model_max_length=77)


def tiny_pipeline(*, seed: int = 0, prediction_type: str = "epsilon") -> StableDiffusionPipeline:
    """64 px native: latents of 32 × 32, a VAE that halves once."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(
            sample_size=32,
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            attention_head_dim=4,
            cross_attention_dim=32,
        )
        vae = AutoencoderKL(
            sample_size=64,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
            up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
            latent_channels=4,
            norm_num_groups=8,
        )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=49408,
                hidden_size=32,
                intermediate_size=64,
                projection_dim=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=77,
                hidden_act="quick_gelu",
                bos_token_id=0,
                eos_token_id=2,
                pad_token_id=1,
            )
        )
    return StableDiffusionPipeline(
        unet=unet.eval(),
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=clip_tokenizer(),
        scheduler=PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            skip_prk_steps=True,
            prediction_type=prediction_type,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def make_tiny_sd1(path: Path, *, seed: int = 0, prediction_type: str = "epsilon") -> Path:
    """Write the pipeline as a diffusers folder, as diffusers itself does, and return its path."""
    tiny_pipeline(seed=seed, prediction_type=prediction_type).save_pretrained(path, safe_serialization=True)
    return Path(path)


def change_json(path: Path, **changes: object) -> None:
    """Set keys of a JSON file: how tests make one config wrong."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


if __name__ == "__main__":
    print(make_tiny_sd1(Path(sys.argv[1])))
