"""Pictures on demand: `dbtui generate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from core.families.model import Model
from core.files import explain
from core.sampling.denoising import SamplingSettings, denoise, initial_noise, prompt_embedding, to_pictures
from core.sampling.png import Recipe, write_png


@dataclass(frozen=True)
class Order:
    """What is wanted: `count` pictures of each prompt, with seed, seed + 1, … each."""

    prompts: Sequence[str]
    negative_prompt: str
    seed: int
    count: int
    settings: SamplingSettings


def generate(
    model: Model,
    order: Order,
    directory: Path,
    *,
    title: str,
    step: int | None,
    autocast: torch.autocast,
    on_step: Callable[[], None],
) -> Iterator[Path]:
    """Make and write each picture, one at a time; yields its path once the file is whole.

    Nothing is overwritten: names go on after the highest number in `directory`. Raises `UserError` for a disk that
    cannot be written. `title` and `step` say in the PNG which model it was.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        number = _next_number(directory)
        negative = prompt_embedding(model, order.negative_prompt)
        for prompt in order.prompts:
            positive = prompt_embedding(model, prompt)
            for place in range(order.count):
                seed = (order.seed + place) % 2**32
                noise = initial_noise(model, [seed], order.settings.size)
                latents = denoise(model, positive, negative, noise, order.settings, autocast=autocast, on_step=on_step)
                path = directory / f"{number:05d}.png"
                recipe = Recipe(prompt, order.negative_prompt, seed, order.settings, title, step, model.clip_skip)
                write_png(path, to_pictures(model, latents)[0], recipe)
                number += 1
                yield path
    except OSError as error:
        raise explain(error, directory) from error


def _next_number(directory: Path) -> int:
    return 1 + max((int(path.stem) for path in directory.glob("*.png") if path.stem.isdigit()), default=0)
