"""Runs that nobody trained: folders with a journal as a trainer would have written it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from core.events import (
    Checkpoint,
    Done,
    Event,
    Phase,
    RunStarted,
    Sample,
    Step,
    Stopped,
    Validation,
    encode,
)
from core.runs.lock import RunLock

NOON = 1_700_000_000.0
"""Every synthetic journal begins at this moment."""


class SyntheticRun:
    """What the monitor needs of a `core.runs.folder.Run`."""

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.name = home, name
        self.path = home / "runs" / name
        self.journal_path = self.path / "journal.jsonl"
        self.commands_path = self.path / "commands.jsonl"
        self.lock_path = self.path / "lock"
        self.log_path = self.path / "train.log"
        self.samples = self.path / "samples"
        self.exports = self.path / "export"
        self.path.mkdir(parents=True)

    def say(self, *events: Event) -> None:
        with self.journal_path.open("a", encoding="utf-8") as journal:
            journal.writelines(encode(event) + "\n" for event in events)


@contextmanager
def held(run: Any) -> Iterator[None]:
    """While this very process holds the lock of `run`, since before its journal began."""
    with RunLock(run.lock_path):
        told = json.loads(run.lock_path.read_text())
        run.lock_path.write_text(json.dumps({**told, "started": NOON - 1}) + "\n")
        yield


def started(total: int = 600, per_epoch: int = 6, **fields: object) -> RunStarted:
    return RunStarted(
        config_hash="0", versions={}, device="cuda", total_steps=total, steps_per_epoch=per_epoch, time=NOON, **fields
    )  # type: ignore[arg-type]


def step(number: int, *, prior: bool = True, loss: float | None = None) -> Step:
    """A step as it might have been: noisy, falling, 1.5 s each."""
    noise = math.sin(number * 12.9898) * 43758.5453
    noise -= math.floor(noise)
    instance = 0.06 + 0.09 * math.exp(-number / 120) + 0.08 * noise * noise if loss is None else loss
    class_loss = 0.11 + 0.05 * math.cos(number * 7.1) ** 2 if prior else None
    return Step(
        step=number,
        epoch=(number - 1) // 6 + 1,
        loss=instance + 0.75 * (class_loss or 0.0),
        instance_loss=instance,
        prior_loss=class_loss,
        rate=2e-6 * min(1.0, number / 40),
        text_encoder_rate=1e-6 * min(1.0, number / 40) if number <= 200 else None,
        gradient_norm=0.8,
        images_per_second=0.67,
        memory_bytes=9_800_000_000,
        time=NOON + 60 + 1.5 * number,
    )


def steps(first: int, last: int, *, prior: bool = True) -> Iterable[Event]:
    for number in range(first, last + 1):
        yield step(number, prior=prior)
        if number % 50 == 0:
            checks = 0.09 + 0.05 * math.exp(-number / 150), 0.12 + number * 2e-5
            yield Validation(step=number, instance=checks[0], prior=checks[1] if prior else None, time=NOON + number)


def preview(run: SyntheticRun, number: int, prompt: str, *, colour: tuple[int, int, int] = (180, 90, 60)) -> Sample:
    """A picture with a shape in it, and the event that tells of it."""
    path = run.samples / f"step-{number:06d}" / "0.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (96, 96), (28, 32, 40))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 76, 96, 96), fill=(70, 66, 58))
    for radius in range(30, 0, -3):
        shade = 1 - radius / 45
        draw.circle((48, 52), radius, fill=tuple(int(part * shade) for part in colour))
    picture.save(path)
    return Sample(
        step=number, path=str(path.relative_to(run.path)), prompt=prompt, seed=42, time=NOON + 60 + 1.5 * number
    )


def in_training(run: SyntheticRun, last: int = 260, *, prior: bool = True) -> None:
    """A run that made class pictures, trains, and has shown two previews."""
    run.say(started(), Phase(name="loading", time=NOON), Phase(name="class-images", done=0, total=30, time=NOON + 5))
    run.say(Phase(name="caching", done=6, total=6, time=NOON + 50), Phase(name="training", total=600, time=NOON + 60))
    run.say(*steps(1, last, prior=prior))
    for number in (100, 200):
        if number <= last:
            colour = (200, 120, 60) if number == 100 else (90, 150, 200)
            run.say(
                Phase(name="sampling", done=0, total=1, time=NOON + 60 + 1.5 * number),
                preview(run, number, "a photo of sks alarm clock on a table", colour=colour),
                Checkpoint(
                    step=number,
                    path=f"checkpoints/step-{number:06d}",
                    bytes=13_700_000_000,
                    seconds=21,
                    time=NOON + 61 + 1.5 * number,
                ),
                Phase(name="training", total=600, time=NOON + 62 + 1.5 * number),
            )


def done(run: SyntheticRun, total: int = 600) -> None:
    in_training(run, total)
    run.say(Done(step=total, seconds=1000, time=NOON + 2000))


def stopped(run: SyntheticRun) -> None:
    in_training(run)
    run.say(Stopped(step=260, saved=True, time=NOON + 500))
