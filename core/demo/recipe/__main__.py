"""`python -m core.demo.recipe`: how the embedded model is made. `--help` lists the parts."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from core.demo.recipe import diffusion, drawings, networks, pictures, recogniser, sheet, vae
from core.demo.recipe.progress import Length

# As the shipped weights were made: on one H100 with torch 2.11, the autoencoder in 3.7 minutes, the rest in 6.6.
VAE_STEPS, VAE_BATCH = 4084, 256
STEPS, BATCH = 8113, 512

_ALL = ("drawings", "pictures", "vae", "diffusion", "recogniser", "sheet")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m core.demo.recipe", description=__doc__)
    parser.add_argument("part", choices=("all", *_ALL), help="what to make")
    parser.add_argument("--cache", type=Path, default=Path(".demo"), help="where drawings are kept [.demo]")
    parser.add_argument("--out", type=Path, default=Path(".demo/model"), help="the model's folder [.demo/model]")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--vae-steps", type=int, default=VAE_STEPS)
    parser.add_argument("--vae-batch", type=int, default=VAE_BATCH)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--vae-seconds", type=float, default=0, help="as many steps as fit, instead of --vae-steps")
    parser.add_argument("--seconds", type=float, default=0, help="as many steps as fit, instead of --steps")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for part in _ALL if asked.part == "all" else (asked.part,):
        _make(part, asked)


def _make(part: str, asked: argparse.Namespace) -> None:
    device = torch.device(asked.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if part == "drawings":
        drawings.load(asked.cache)
    elif part == "pictures":
        pictures.render_pictures()
    elif part == "vae":
        length = Length(seconds=asked.vae_seconds) if asked.vae_seconds else Length(steps=asked.vae_steps)
        trained_vae = vae.train(drawings.load(asked.cache), device, length, asked.vae_batch, asked.seed)
        trained_vae.save_pretrained(asked.out / "vae")
    elif part == "diffusion":
        autoencoder = AutoencoderKL.from_pretrained(asked.out / "vae", torch_dtype=torch.float32, local_files_only=True)
        length = Length(seconds=asked.seconds) if asked.seconds else Length(steps=asked.steps)
        trained = diffusion.train(drawings.load(asked.cache), autoencoder, device, length, asked.batch, asked.seed)
        networks.write_folder(asked.out, trained.unet, autoencoder, trained.text_encoder)
    elif part == "recogniser":
        recogniser.train(asked.cache, asked.out.parent / "recogniser.safetensors", asked.seed, vae=asked.out / "vae")
    elif part == "sheet":
        sheet.draw(asked.out.parent / "nouns.png", 72, 12, source=asked.out)


main()
