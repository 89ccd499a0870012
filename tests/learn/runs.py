"""The runs that are measured: the trainer itself, on the embedded model, with the demo's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.presets import built_in_presets
from core.config.settle import settle
from core.demo.run import demo_config
from core.demo.source import PICTURES
from core.events import Export, Validation
from core.families.describe import describe
from core.families.load import load_model
from core.families.model import Model, TextEmbedding
from core.sampling.denoising import SamplingSettings, denoise, initial_noise, prompt_embedding
from core.training.precision import autocast
from core.training.trainer import Trainer

IDENTIFIER = "sks"
CLASS_NOUN = {"subject": "dog face", "face": "woman face", "style": "style"}
FACE_STEPS = 60
"""Of the runs with and without the text encoder: before either has learned all there is to learn."""
_SAMPLE = demo_config("learn").concepts[0].sample
SAMPLING = SamplingSettings(_SAMPLE.guidance_scale, _SAMPLE.steps, size=64)
AT_ONCE = 32


@dataclass(frozen=True)
class Experiment:
    """One run: what it is taught (a folder of the demo's pictures), and what is special about it."""

    name: str
    taught: str
    prior: bool = True
    text_encoder_ratio: float | None = None
    steps: int | None = None


EXPERIMENTS = (
    Experiment("subject", "subject"),
    Experiment("without-prior", "subject", prior=False),
    Experiment("face", "face", text_encoder_ratio=0.7, steps=FACE_STEPS),
    Experiment("face-frozen-text", "face", text_encoder_ratio=0.0, steps=FACE_STEPS),
    Experiment("style", "style"),
)


@dataclass(frozen=True)
class Outcome:
    """The model as its export was read back, and the losses on fixed noise from first to last."""

    model: Model
    validations: tuple[Validation, ...]


def train(experiment: Experiment, seed: int, folder: Path, changes: dict[str, Any] | None = None) -> Outcome:
    """Train in a new folder, from the source to the exported file."""
    folder.mkdir(parents=True)
    config = with_changes(config_of(experiment, seed), changes or {})
    events = list(Trainer(config, folder, resume=False, poll=lambda: ()).run())
    exported = next(event.path for event in events if isinstance(event, Export))
    return Outcome(
        load_model(describe(str(folder / exported)), device="cpu"),
        tuple(event for event in events if isinstance(event, Validation)),
    )


def config_of(experiment: Experiment, seed: int) -> RunConfig:
    """The demo's configuration, taught something else where the experiment says so. No previews are made."""
    changes: dict[str, Any] = {
        "performance.seed": seed,
        "concepts.0.sample.count": 0,
        "concepts.0.instance.directory": str(PICTURES / experiment.taught),
        "concepts.0.instance.class_noun": CLASS_NOUN[experiment.taught],
        "intervals.validate_every_steps": 50,
    }
    if experiment.taught == "style":
        changes |= _of_the_style_preset() | {"concepts.0.instance.prompt": "[filewords] in {identifier} {class}"}
    if experiment.text_encoder_ratio is not None:
        changes["performance.text_encoder_ratio"] = experiment.text_encoder_ratio
    if experiment.steps is not None:
        changes["intervals.max_steps"] = experiment.steps
    return settle(with_changes(demo_config("learn", prior=experiment.prior), changes))


def _of_the_style_preset() -> dict[str, Any]:
    """What makes the preset one for styles; rate, batch and length are the small model's."""
    values = built_in_presets()["style"].values
    return {
        "performance.text_encoder_ratio": values["performance.text_encoder_ratio"],
        "concepts.0.prior.images_per_instance": values["concepts.*.prior.images_per_instance"],
    }


def draw(model: Model, prompts: Sequence[str], seed: int) -> Tensor:
    """A picture of each prompt, (N, 3, 64, 64) in [-1, 1]; picture i from noise (seed, i)."""
    negative = prompt_embedding(model, "")
    embeddings = {prompt: prompt_embedding(model, prompt) for prompt in set(prompts)}
    pictures = []
    for start in range(0, len(prompts), AT_ONCE):
        some = prompts[start : start + AT_ONCE]
        seeds = [100_000 * seed + start + place for place in range(len(some))]
        latents = denoise(
            model, TextEmbedding.cat([embeddings[prompt] for prompt in some]), negative.repeat(len(some)),
            initial_noise(model, seeds, SAMPLING.size), SAMPLING, autocast=autocast("no", torch.device("cpu")),
            on_step=lambda: None,
        )  # fmt: skip
        pictures.append(model.decode_image(latents).float().clamp(-1, 1))
    return torch.cat(pictures)
