"""Class pictures for prior preservation: only the missing ones, from the frozen source, each by its own seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from core.families.model import Model
from core.files import write_atomic
from core.sampling.denoising import SamplingSettings, denoise, initial_noise, prompt_embedding, to_pictures
from core.sampling.png import Recipe, write_png
from core.seeds import picture_seed

GENERATED = re.compile(r"class-(\d{5})\.png")


@dataclass(frozen=True)
class ClassPictures:
    """What one concept needs. Picture i has the seed f(run's seed, concept, i): a killed run makes the same ones."""

    directory: Path
    wanted: int
    """How many generated pictures there shall be (foreign ones already taken off)."""
    prompt: str
    negative_prompt: str
    settings: SamplingSettings
    batch_size: int
    seed: int
    concept: str

    @property
    def missing(self) -> list[int]:
        """The numbers of the pictures that are not there yet."""
        return [index for index in range(self.wanted) if not self.path(index).exists()]

    def path(self, index: int) -> Path:
        return self.directory / f"class-{index:05d}.png"

    def generate(self, model: Model, *, autocast: torch.autocast, on_step: Callable[[], None]) -> Iterator[int]:
        """Make the missing pictures, a batch at a time; yields how many were written after each batch.

        A batch that was cut short is made whole again and only its missing pictures are written: the bits of a picture
        then never depend on when the run was killed.
        """
        missing = set(self.missing)
        if not missing:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        positive, negative = prompt_embedding(model, self.prompt), prompt_embedding(model, self.negative_prompt)
        for start in range(0, self.wanted, self.batch_size):
            batch = range(start, min(start + self.batch_size, self.wanted))
            todo = [index for index in batch if index in missing]
            if not todo:
                continue
            seeds = [picture_seed(self.seed, f"class/{self.concept}", index) for index in batch]
            latents = denoise(
                model, positive.repeat(len(seeds)), negative.repeat(len(seeds)),
                initial_noise(model, seeds, self.settings.size), self.settings, autocast=autocast, on_step=on_step,
            )  # fmt: skip
            for index in todo:
                row = index - start
                recipe = Recipe(self.prompt, self.negative_prompt, seeds[row], self.settings, model.title,
                                clip_skip=model.clip_skip)  # fmt: skip
                write_atomic(self.path(index).with_suffix(".txt"), self.prompt)
                write_png(self.path(index), to_pictures(model, latents[row : row + 1])[0], recipe)
            yield len(todo)


def generated_in(directory: Path) -> list[Path]:
    """The pictures in a folder that were made here, by their names."""
    return [path for path in directory.iterdir() if GENERATED.fullmatch(path.name)] if directory.is_dir() else []
