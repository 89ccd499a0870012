"""Learning-rate schedulers as pure functions of the update. Adding one is one entry here (and its line in the tests).

The wizard draws its curve and the trainer sets its rate from the same `rate_at`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scheduler:
    """`shape(progress)` is the factor after the warm-up, progress in [0, 1] over the remaining updates.

    Factor 1 is the chosen rate, factor 0 the final rate.
    """

    id: str
    title: str
    help: str
    shape: Callable[[float], float]
    warms_up: bool = True
    ends_low: bool = False


SCHEDULERS: dict[str, Scheduler] = {
    entry.id: entry
    for entry in (
        Scheduler("constant", "Constant", "The chosen rate from the first update to the last.", lambda _: 1.0, False),
        Scheduler(
            "constant_with_warmup",
            "Constant with warm-up",
            "Rises to the chosen rate over the warm-up, then stays. A safe choice.",
            lambda _: 1.0,
        ),
        Scheduler(
            "cosine",
            "Cosine",
            "Rises over the warm-up, then falls along half a cosine to the final rate at the last update.",
            lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
            ends_low=True,
        ),
    )
}


def warmup_updates(asked: int | str, total: int) -> int:
    """Updates of warm-up: `asked` is a number of them or a share of the run such as `"10%"` (rounded)."""
    if isinstance(asked, int):
        return asked
    return round(float(asked.rstrip("%")) / 100 * total)


def rate_at(scheduler: str, update: int, total: int, warmup: int, rate: float, final_rate: float = 0.0) -> float:
    """The learning rate of update `update` (0 is the first) of `total`.

    Update n of the warm-up has (n + 1) / warmup of the rate; the last update of a falling scheduler has `final_rate`.
    """
    entry = SCHEDULERS[scheduler]
    if entry.warms_up and update < warmup:
        return rate * (update + 1) / warmup
    start = warmup if entry.warms_up else 0
    progress = min(1.0, (update - start) / max(1, total - 1 - start))
    factor = entry.shape(progress)
    return final_rate + (rate - final_rate) * factor if entry.ends_low else rate * factor
