"""The trainer against a bare loop of the same networks, side by side in one process.

`python -m tests.bench.trainer_speed [--source FOLDER] [--rounds N] [--steps N]` trains the run and the bare loop in
turns and prints the median ratio of their speeds. The trainer does all it does in a real run (noise by slot, cached
latents, journal on disk, looking for commands, the gradient norm, one wait); the bare loop has fixed tensors, the
text encoder, the UNet, the loss, clipping and AdamW, and neither data nor logging.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from core.data.geometry import whole
from core.events import Event, Phase, Step
from core.families.describe import describe
from core.families.load import load_model
from core.runs.journal import JournalWriter
from core.training.precision import autocast
from core.training.trainer import Trainer
from tests.tiny import make_tiny_sd1
from tests.training.runs import draw_pictures, no_commands, quick_config


def training(source: Path, folder: Path, precision: str, size: int) -> Iterator[Event]:
    """A real run's events, written to a real journal, from its first step on."""
    pictures = draw_pictures(folder / "pictures", 4, side=64)
    config = quick_config(
        source,
        pictures,
        model__resolution=64,
        batch__size=size,
        performance__text_encoder_ratio=1.0,
        performance__mixed_precision=precision,
        intervals__epochs=100_000,
        concepts__0__prior__images_per_instance=1,
    )
    journal = JournalWriter(folder / "journal.jsonl")
    trainer = Trainer(config, folder, resume=False, poll=no_commands)
    for event in trainer.run():
        journal.write(event)
        yield event


class Bare:
    """The same networks, optimizer and arithmetic on fixed tensors."""

    def __init__(self, source: Path, precision: str, size: int) -> None:
        self.model = load_model(describe(str(source)), device="cpu")
        self.model.train_only(["unet", "text_encoder"], gradient_checkpointing=False)
        self.precision = precision
        self.parameters = [
            *self.model.unet.parameters(),
            *self.model.text_encoders["text_encoder"].parameters(),
        ]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-3, fused=True)
        self.tokens = self.model.tokenize(["a sks dog"] * size + ["a dog"] * size)
        self.x = torch.randn(2 * size, 4, 32, 32)
        self.noise = torch.randn_like(self.x)
        self.t = torch.randint(1000, (2 * size,))
        self.geometry = torch.tensor([whole(64, 64).numbers] * len(self.x), dtype=torch.float)

    def step(self) -> None:
        half = len(self.x) // 2
        with autocast(self.precision, torch.device("cpu")):
            cond = self.model.conditioning(self.model.encode_text(self.tokens), self.geometry)
            pred = self.model.denoise(self.x, self.t, cond)
        loss = functional.mse_loss(pred[:half].float(), self.noise[:half])
        loss = loss + 0.75 * functional.mse_loss(pred[half:].float(), self.noise[half:])
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def take_steps(events: Iterator[Event], count: int) -> float:
    """Seconds for so many of the run's steps."""
    began = time.perf_counter()
    while count:
        count -= isinstance(next(events), Step)
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--source", type=Path, help="an SD1 folder of 64 px; a tiny random one is made otherwise")
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--steps", type=int, default=20, help="steps of each in a round")
    arguments.add_argument("--precision", choices=("bf16", "no"), default="bf16")
    arguments.add_argument("--size", type=int, default=2, help="batch size; class pictures come on top")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source = chosen.source or make_tiny_sd1(Path(scratch) / "source")
        events = training(source, Path(scratch), chosen.precision, chosen.size)
        while not (isinstance(event := next(events), Phase) and event.name == "training"):
            pass
        bare = Bare(source, chosen.precision, chosen.size)
        take_steps(events, 5)
        for _ in range(5):
            bare.step()
        ratios, ours, theirs = [], [], []
        for _ in range(chosen.rounds):
            trainer_seconds = take_steps(events, chosen.steps)
            began = time.perf_counter()
            for _ in range(chosen.steps):
                bare.step()
            bare_seconds = time.perf_counter() - began
            ratios.append(bare_seconds / trainer_seconds)
            ours.append(trainer_seconds / chosen.steps)
            theirs.append(bare_seconds / chosen.steps)
    print(f"trainer {statistics.median(ours) * 1e3:.1f} ms a step, bare loop {statistics.median(theirs) * 1e3:.1f} ms")
    print(f"speed of the trainer / bare loop: {statistics.median(ratios):.3f} (median of {len(ratios)} rounds)")


if __name__ == "__main__":
    main()
