"""What the options of learning come to: the optimizer's numbers, the rate's schedule, the prior loss's weight."""

from __future__ import annotations

from core.choices import optimizers
from core.choices.schedulers import Schedule, Shape
from core.config.options import LearningRateOptions, PriorLossOptions, RunConfig


def numbers_of(config: RunConfig, optimizer: str) -> optimizers.Numbers:
    """Betas, eps and weight decay of a run, those of the optimizer where nothing else was chosen."""
    chosen = config.performance
    return optimizers.numbers(optimizer, chosen.betas, chosen.eps, chosen.weight_decay)


def schedule_of(options: LearningRateOptions, total: int, warmup: int) -> Schedule:
    """The learning rate over `total` updates, `warmup` of them rising."""
    return Schedule(options.scheduler, total, warmup, options.final_rate, Shape(options.cycles, options.power))


def prior_weight_at(options: PriorLossOptions, step: int, steps_per_epoch: int) -> float:
    """The prior loss's weight at `step` (0 is the first): where it is scaled, it falls along a line from the chosen
    one to the minimum at the end of the target epoch, and stays there.
    """
    if not options.scaled:
        return options.weight
    share = min(1.0, step / (options.target_epoch * steps_per_epoch))
    return options.weight + (options.minimum - options.weight) * share
