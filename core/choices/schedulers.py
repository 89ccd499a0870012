"""Learning-rate schedulers as pure functions of the update. Adding one is one entry here (and its line in the tests).

The wizard draws its curve and the trainer sets its rate from the same `Schedule`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from core.choices.entry import Entry

RISE, START = 0.3, 1 / 25
"""One cycle's share of the run until the peak, and the factor it starts at (torch's own numbers)."""


@dataclass(frozen=True)
class Shape:
    """What a scheduler may be given beside the progress."""

    cycles: int = 1
    power: float = 1.0


@dataclass(frozen=True)
class Scheduler(Entry):
    """`shape(progress, …)` is the factor after the warm-up, progress in [0, 1] over the remaining updates.

    Factor 1 is the chosen rate, factor 0 the final rate where it `ends_low`. `takes` names the options of `Shape`
    that it uses.
    """

    registry = "scheduler"

    shape: Callable[[float, Shape], float]
    warms_up: bool = True
    ends_low: bool = True
    takes: frozenset[str] = frozenset()


def _cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter, arXiv 1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def _cosine_with_restarts(progress: float, shape: Shape) -> float:
    return 0.0 if progress >= 1 else _cosine(shape.cycles * progress % 1)


def _one_cycle(progress: float, _: Shape) -> float:
    """Smith & Topin (arXiv 1708.07120) with cosines, as torch's `OneCycleLR` has it."""
    if progress < RISE:
        return 1 + (START - 1) * _cosine(progress / RISE)
    return _cosine((progress - RISE) / (1 - RISE))


SCHEDULERS: dict[str, Scheduler] = {
    entry.id: entry
    for entry in (
        Scheduler("constant", "Constant", "The chosen rate from the first update to the last.", lambda *_: 1.0,
                  warms_up=False, ends_low=False),
        Scheduler(
            "constant_with_warmup", "Constant with warm-up",
            "Rises to the chosen rate over the warm-up, then stays. A safe choice.", lambda *_: 1.0, ends_low=False,
        ),
        Scheduler("linear", "Linear", "Rises over the warm-up, then falls along a line to the final rate.",
                  lambda progress, _: 1 - progress),
        Scheduler(
            "cosine", "Cosine",
            "Rises over the warm-up, then falls along half a cosine to the final rate at the last update.",
            lambda progress, _: _cosine(progress),
        ),
        Scheduler(
            "cosine_with_restarts", "Cosine with restarts",
            "The cosine several times (option cycles), each time from the full rate again.",
            _cosine_with_restarts, takes=frozenset({"cycles"}),
        ),
        Scheduler(
            "polynomial", "Polynomial",
            "Falls as a power of what is left of the run (option power): 1 is a line, 2 falls sooner.",
            lambda progress, shape: (1 - progress) ** shape.power, takes=frozenset({"power"}),
        ),
        Scheduler(
            "one_cycle", "One cycle",
            "Rises for the first 30% of the run from a 25th of the rate, then falls to the final rate.",
            _one_cycle, warms_up=False,
        ),
        Scheduler(
            "rex", "REX", "Stays high for long and falls quickly at the end (arXiv 2107.04197).",
            lambda progress, _: (1 - progress) / (1 - progress / 2),
        ),
    )
}  # fmt: skip


def warmup_updates(asked: int | str, total: int) -> int:
    """Updates of warm-up: `asked` is a number of them or a share of the run such as `"10%"` (rounded)."""
    if isinstance(asked, int):
        return asked
    return round(float(asked.rstrip("%")) / 100 * total)


@dataclass(frozen=True)
class Schedule:
    """The learning rate over `total` updates, `warmup` of them rising; `final_rate` is absolute."""

    scheduler: str
    total: int
    warmup: int = 0
    final_rate: float = 0.0
    shape: Shape = Shape()

    def rate_at(self, update: int, rate: float) -> float:
        """The learning rate of update `update` (0 is the first) where the chosen one is `rate`.

        Update n of the warm-up has (n + 1) / warmup of the rate; the last update of a falling scheduler has
        `final_rate`; the only update of a run of one has the rate itself.
        """
        entry = SCHEDULERS[self.scheduler]
        if entry.warms_up and update < self.warmup:
            return rate * (update + 1) / self.warmup
        if self.total <= 1:
            return rate
        start = self.warmup if entry.warms_up else 0
        progress = min(1.0, (update - start) / max(1, self.total - 1 - start))
        factor = entry.shape(progress, self.shape)
        return self.final_rate + (rate - self.final_rate) * factor if entry.ends_low else rate * factor
