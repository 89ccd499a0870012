"""Class pictures that other runs of the home have made, for a run that would make the same ones again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.config.options import Concept, RunConfig
from core.config.prompts import class_prompt, concept_name
from core.config.runfile import read
from core.config.settle import absolute
from core.texts import UserError

MADE = re.compile(r"class-\d{5}\.png")
MOST_RUNS = 200


@dataclass(frozen=True)
class Likeness:
    """All that decides what class pictures look like, but for their seeds."""

    source: tuple[str, ...]
    """With what decides how it draws: revision, variant, VAE, clip skip, resolution."""
    prompt: str
    negative_prompt: str
    guidance_scale: float
    steps: int


@dataclass(frozen=True)
class ClassPicturesThere:
    """So many pictures in `directory`, made by the run called `run`."""

    run: str
    directory: Path
    likeness: Likeness
    count: int


def likeness_of(config: RunConfig, concept: Concept) -> Likeness:
    """Of the class pictures that a run makes for a concept."""
    model, prior = config.model, concept.prior
    source = (model.source, model.revision, model.variant, model.vae, str(model.clip_skip), str(model.resolution))
    return Likeness(source, class_prompt(concept), prior.negative_prompt, prior.guidance_scale, prior.steps)


def class_folder(config: RunConfig, folder: Path, number: int) -> Path:
    """Where the class pictures of a concept are, for the run in `folder`: in the person's own folder, else in the run.
    Raises `UserError`.
    """
    concept = config.concepts[number]
    own = concept.prior.directory
    if own and not run_that_is_gone(own, folder.parent):
        return absolute(own)
    return folder / "class" / concept_name(concept, number)


def run_that_is_gone(directory: str, runs: Path) -> str:
    """The name of the run in whose folder `directory` was, where neither is there any more; otherwise nothing. What
    makes class pictures must not bring such a folder back. Raises `UserError` for what can be no path.
    """
    place = absolute(directory)
    with suppress(OSError, RuntimeError, ValueError):  # a path that is too long, a loop of links, one elsewhere
        inside = place.resolve().relative_to(runs.resolve()).parts
        if inside and not place.exists() and not (runs / inside[0] / "run.toml").is_file():
            return inside[0]
    return ""


def made_in(home: Path) -> Iterator[ClassPicturesThere]:
    """Every folder of class pictures in the runs of `home` that made some last, the newest first. What cannot be read
    is passed over.
    """
    for folder in _newest(home / "runs"):
        try:
            config = read(folder / "run.toml")
        except UserError:
            continue
        for number, concept in enumerate(config.concepts):
            directory = folder / "class" / concept_name(concept, number)
            count = _count(directory)
            if count and concept.prior.images_per_instance and not concept.prior.directory:
                yield ClassPicturesThere(folder.name, directory, likeness_of(config, concept), count)


def _newest(runs: Path) -> list[Path]:
    """The folders of the runs that have class pictures, by when the first was made."""
    found = []
    with suppress(OSError):
        for folder in runs.iterdir():
            with suppress(OSError):
                if not folder.is_symlink():
                    found.append(((folder / "class").stat().st_mtime_ns, folder.name))
    return [runs / name for _, name in sorted(found, reverse=True)[:MOST_RUNS]]


def _count(directory: Path) -> int:
    try:
        return sum(1 for entry in os.scandir(directory) if MADE.fullmatch(entry.name))
    except OSError:
        return 0
