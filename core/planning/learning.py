"""What the options of learning come to: the optimizer's numbers, the rate's schedule, the prior loss's weight."""

from __future__ import annotations

from core.choices import optimizers
from core.choices.schedulers import Schedule, Shape
from core.config.options import LearningRateOptions, RunConfig


def numbers_of(config: RunConfig, optimizer: str) -> optimizers.Numbers:
    """Betas, eps and weight decay of a run, those of the optimizer where nothing else was chosen."""
    chosen = config.performance
    return optimizers.numbers(optimizer, chosen.betas, chosen.eps, chosen.weight_decay)


def schedule_of(options: LearningRateOptions, total: int, warmup: int) -> Schedule:
    """The learning rate over `total` updates, `warmup` of them rising."""
    return Schedule(options.scheduler, total, warmup, options.final_rate, Shape(options.cycles, options.power))
