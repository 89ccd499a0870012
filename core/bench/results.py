"""What a measurement says. No torch: it is read by what only prints it."""

from __future__ import annotations

from dataclasses import dataclass

from core.bench.settings import Setting
from core.texts import Message


@dataclass(frozen=True)
class Cost:
    """One kind of operation in one step: its own milliseconds on the device, its share of all, how often."""

    name: str
    milliseconds: float
    share: float
    count: int


@dataclass(frozen=True)
class Measurement:
    """What one setting came to. Images are the person's own: class pictures ride along and are not counted."""

    setting: Setting
    resolution: int
    precision: str
    optimizer: str
    attention: str
    images_per_second: float
    bare_images_per_second: float
    ratio: float
    """Speed of the trainer / of the bare loop, the median of the rounds'."""
    computing_ratio: float | None
    """The same by the seconds that a processor computed, which other work on it disturbs less; `None` on a GPU."""
    flops_per_step: int
    """Floating point operations of the networks in one update, without what is computed twice."""
    mfu: float | None
    """The share of the device's peak that these make up; `None` where the peak is not known."""
    peak_bytes: int
    first_step_seconds: float
    rounds: int
    steps_in_a_round: int
    notes: tuple[str, ...]
    """What the trainer warned of."""
    costs: tuple[Cost, ...]


@dataclass(frozen=True)
class Refused:
    """A setting that could not be measured, and why."""

    setting: Setting
    reason: Message


Result = Measurement | Refused
