"""The contact sheet in docs/: what the shipped model draws when it is asked for each of its nouns."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from core.demo.recipe.words import NOUNS
from core.families.describe import describe
from core.families.load import load_model
from core.families.model import TextEmbedding
from core.sampling.denoising import SamplingSettings, denoise, initial_noise, prompt_embedding, to_pictures

_SETTINGS = SamplingSettings(guidance_scale=3.0, steps=15, size=64)
_AT_ONCE = 20
_SCALE, _GAP, _LINE = 1.5, 6, 14


def draw(
    out: Path, count: int, columns: int, seed: int = 0, *, source: Path | str = "demo", captioned: bool = True
) -> list[str]:
    """Draw `count` nouns, chosen and ordered at random, one picture each with the noise of its place; none is redrawn.

    `source` is the folder of the model. Writes one PNG, with the noun under each picture or with its number.
    Returns the nouns in order.
    """
    nouns = random.Random(seed).sample(NOUNS, count)
    pictures = _pictures(str(source), [noun.phrase for noun in nouns], seed)
    side = int(pictures[0].width * _SCALE)
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * (side + _GAP) + _GAP, rows * (side + _LINE + _GAP) + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for place, (noun, picture) in enumerate(zip(nouns, pictures, strict=True)):
        left, top = _GAP + place % columns * (side + _GAP), _GAP + place // columns * (side + _LINE + _GAP)
        sheet.paste(picture.resize((side, side), Image.Resampling.BICUBIC), (left, top))
        text = noun.name if captioned else str(place + 1)
        pen.text((left + side // 2, top + side + 1), text, fill="black", font=font, anchor="ma")
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, optimize=True)
    return [noun.name for noun in nouns]


def _pictures(source: str, prompts: Sequence[str], seed: int) -> list[Image.Image]:
    model = load_model(describe(source), device="cpu")
    negative = prompt_embedding(model, "")
    drawn: list[Image.Image] = []
    for start in range(0, len(prompts), _AT_ONCE):
        some = prompts[start : start + _AT_ONCE]
        positive = TextEmbedding.cat([prompt_embedding(model, prompt) for prompt in some])
        noise = initial_noise(model, [1000 * seed + start + place for place in range(len(some))], _SETTINGS.size)
        latents = denoise(
            model, positive, negative.repeat(len(some)), noise, _SETTINGS,
            autocast=torch.autocast("cpu", enabled=False), on_step=lambda: None,
        )  # fmt: skip
        drawn += to_pictures(model, latents)
    return drawn
