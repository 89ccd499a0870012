"""Previews: what the model makes of the prompts while it learns, with the same seeds each time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from core.config.options import RunConfig
from core.config.prompts import PromptPair, concept_name
from core.families.model import Model, TextEmbedding
from core.sampling.denoising import SamplingSettings, denoise, initial_noise, to_pictures
from core.sampling.png import Recipe, write_png


@dataclass(frozen=True)
class Preview:
    """One picture to make each time; `of_class` for one of the plain class, beside the subject's of the same seed."""

    concept: str
    number: int
    prompt: str
    negative_prompt: str
    seed: int
    settings: SamplingSettings
    of_class: bool = False

    def path(self, step: int) -> Path:
        """Relative to the run's folder."""
        return Path("samples") / f"step-{step:06d}" / f"{self.concept}-{self.number:02d}{'-class' * self.of_class}.png"


def previews_of(config: RunConfig, prompts: Sequence[Sequence[PromptPair]], size: int) -> tuple[Preview, ...]:
    """Every preview of a run: of each prompt of each concept `count`, with seed, seed + 1, …, each with the class's
    behind it.
    """
    return tuple(
        Preview(
            concept_name(concept, place),
            line * concept.sample.count + number,
            prompt.of_class if of_class else prompt.subject,
            concept.sample.negative_prompt,
            (concept.sample.seed + number) % 2**32,
            SamplingSettings(concept.sample.guidance_scale, concept.sample.steps, size),
            of_class,
        )
        for place, concept in enumerate(config.concepts)
        for line, prompt in enumerate(prompts[place])
        for number in range(concept.sample.count)
        for of_class in ((False, True) if concept.sample.with_class else (False,))
    )


def make_previews(
    model: Model,
    previews: tuple[Preview, ...],
    embed: Callable[[str], TextEmbedding],
    *,
    folder: Path,
    step: int,
    title: str,
    autocast: torch.autocast,
    on_step: Callable[[], None],
    weights: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> Iterator[tuple[Preview, Path]]:
    """Make and write each preview; yields it with its path relative to `folder` once the file is whole.

    `embed` gives the embedding (1, 77, D) of a prompt: live, or remembered from when the text encoder stopped.
    `weights` is open while the networks compute, never while this yields. Raises `OSError` where one cannot be
    written; no empty folder is left.
    """
    for preview in previews:
        with weights():
            latents = denoise(
                model,
                embed(preview.prompt),
                embed(preview.negative_prompt),
                initial_noise(model, [preview.seed], preview.settings.size),
                preview.settings,
                autocast=autocast,
                on_step=on_step,
            )
        path = preview.path(step)
        recipe = Recipe(preview.prompt, preview.negative_prompt, preview.seed, preview.settings, title, step,
                        model.clip_skip)  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        try:
            write_png(folder / path, to_pictures(model, latents)[0], recipe)
        except OSError:
            with contextlib.suppress(OSError):  # it holds the previews before this one
                (folder / path).parent.rmdir()
            raise
        yield preview, path
