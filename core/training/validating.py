"""The validation of one step, as an event. Training goes on whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from core.events import Event, Validation
from core.families.model import Model
from core.training import faults
from core.training.conditioning import Conditioning
from core.training.device import lack_of_memory
from core.training.validation import FixedNoise


def validate(
    instance: FixedNoise,
    prior: FixedNoise,
    model: Model,
    conditioning: Conditioning,
    *,
    step: int,
    batch_size: int,
    on_batch: Callable[[], None],
) -> Iterator[Event]:
    """Both figures as an event: one picture at a time where `batch_size` do not fit, a warning where none does."""
    for size in dict.fromkeys((batch_size, 1)):
        try:
            with lack_of_memory():
                figures = [each.measure(model, conditioning, size, on_batch) for each in (instance, prior)]
        except torch.OutOfMemoryError:
            figures = []
        if figures:
            yield Validation(step=step, instance=figures[0], prior=figures[1])
            return
        torch.cuda.empty_cache()
    yield faults.validation_skipped(step)
