"""How long a training of the recipe lasts, and the figures that it prints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """A training's length: a number of steps, or as many as fit into some seconds (measured on the first)."""

    steps: int = 0
    seconds: float = 0.0


def steps_of(length: Length, settle: Callable[[], None] = lambda: None, *, warm: int = 60) -> Iterator[tuple[int, int]]:
    """Count through a training: (step, steps). With seconds, the number is fixed after the first `warm` steps.

    `settle` waits for the device, so that the clock tells the truth.
    """
    if length.steps:
        yield from ((step, length.steps) for step in range(length.steps))
        return
    start = time.monotonic()
    half = 0.0
    for step in range(warm):
        if step == warm // 2:
            settle()
            half = time.monotonic()
        yield step, 10_000
    settle()
    each = (time.monotonic() - half) / (warm - warm // 2)
    total = warm + max(1, int((length.seconds - (time.monotonic() - start)) / each))
    yield from ((step, total) for step in range(warm, total))


def rate(step: int, steps: int, peak: float, warm_up: int = 200) -> float:
    """A learning rate that warms up and falls as a cosine to a hundredth of its peak."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
