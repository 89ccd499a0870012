"""Training a finished run on: for how long it was meant, and for how long it will be."""

from __future__ import annotations

from dataclasses import dataclass

from core.choices.schedulers import SCHEDULERS
from core.config.options import RunConfig
from core.runs.folder import Run
from core.runs.history import Summary


@dataclass(frozen=True)
class Length:
    """`epochs` may be 0 for a run whose steps are limited otherwise; `steps_per_epoch` is 0 where it never began."""

    epochs: int
    steps: int
    steps_per_epoch: int
    bends: bool
    """Whether its learning rate follows a curve over the whole length."""


def length_of(run: Run, seen: Summary) -> Length:
    """How long `run` was trained. Raises `UserError` where its options cannot be read."""
    config = run.config()
    return Length(0 if config.intervals.max_steps else config.intervals.epochs, seen.total, seen.steps_per_epoch,
                  SCHEDULERS[config.learning_rate.scheduler].ends_low)  # fmt: skip


def changes_for(config: RunConfig, more: int, steps_per_epoch: int) -> dict[str, int]:
    """What to change so that the run goes on for `more` epochs."""
    intervals = config.intervals
    if intervals.max_steps:
        return {"intervals.max_steps": intervals.max_steps + more * max(1, steps_per_epoch)}
    return {"intervals.epochs": intervals.epochs + more}
