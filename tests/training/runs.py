"""Small whole runs for the tests of the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.settle import settle
from core.events import Event, Phase
from core.tensors import digest, read_tensors
from core.training.checkpoints import list_checkpoints
from core.training.gradients import Figures
from core.training.requests import Command
from core.training.trainer import Trainer

QUICK: dict[str, Any] = {
    "model.name": "quick",
    "model.resolution": 32,
    "concepts.0.instance.identifier": "sks",
    "concepts.0.instance.class_noun": "dog",
    "concepts.0.prior.steps": 2,
    "concepts.0.sample.steps": 2,
    "concepts.0.sample.seed": 5,
    "performance.seed": 7,
    "performance.mixed_precision": "no",
    "performance.optimizer": "adamw",
    "performance.text_encoder_ratio": 0.5,
    "learning_rate.rate": 1e-3,
    "intervals.epochs": 2,
    "intervals.save_every_epochs": 0,
    "intervals.sample_every_epochs": 0,
    "intervals.validate_every_steps": 0,
    "saving.export_when_done": False,
    "saving.on_cancel": False,
}


def draw_pictures(directory: Path, count: int, side: int = 48) -> Path:
    """Pictures of coloured noise, each of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = numpy.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=numpy.uint8)
        Image.fromarray(pixels).save(directory / f"{number}.png")
    return directory


def quick_config(source: Path, directory: Path, **changes: Any) -> RunConfig:
    """A run of seconds; `changes` have `__` where an option's path has a dot."""
    dotted = {path.replace("__", "."): value for path, value in changes.items()}
    own = {"model.source": str(source), "concepts.0.instance.directory": str(directory)}
    return settle(with_changes(RunConfig(), QUICK | own | dotted))


def no_commands() -> Sequence[Command]:
    return ()


def run_to_end(
    config: RunConfig, folder: Path, *, resume: bool = False, poll: Callable[[], Sequence[Command]] = no_commands
) -> list[Event]:
    folder.mkdir(exist_ok=True)
    return list(Trainer(config, folder, resume=resume, poll=poll).run())


def ready_trainer(config: RunConfig, folder: Path) -> Trainer:
    """A trainer right before its first step, everything loaded and cached."""
    folder.mkdir(exist_ok=True)
    trainer = Trainer(config, folder, resume=False, poll=no_commands)
    for event in trainer.run():
        if isinstance(event, Phase) and event.name == "training":
            return trainer
    raise AssertionError("training never began")


def first_gradients(trainer: Trainer) -> Figures:
    """The figures of the first step, whose gradients the networks hold afterwards."""
    slots = trainer._prepared.batches.step(0)
    return trainer._gradients.of(0, slots, trainer._config.prior_loss.weight)


def final_weights(folder: Path) -> dict[str, str]:
    """Hashes of every tensor file of the newest state."""
    _, newest = list_checkpoints(folder / "checkpoints")[-1]
    return {file.name: digest(read_tensors(file)) for file in newest.glob("*.safetensors")}
