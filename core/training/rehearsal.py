"""The dry step: forward and backward on the largest pictures before the first update, to see what fits.

No weight, no figure and no random number of the run depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch

from core.data.batches import BatchPlan, Slot
from core.data.dataset import Dataset
from core.events import Event, Measured, Phase
from core.texts import UserError
from core.training import device
from core.training.gradients import Gradients
from core.training.optimization import Optimization
from core.training.ranks import Ranks


def rehearse(
    gradients: Gradients,
    optimization: Optimization,
    slots: Sequence[Slot],
    on: torch.device,
    ranks: Ranks,
    *,
    prior_weight: float,
    compiles: bool,
    deterministic: bool,
) -> Iterator[Event]:
    """Tell the peak of a step of these slots; smaller passes where it, with what the optimizer will keep, is more than
    the device has, in any of the ranks.

    Raises `UserError` where not even one picture fits, and where compiling does not work.
    """
    yield Phase(name="compiling" if compiles else "measuring")
    to_come = optimization.state_bytes_to_come
    room = device.room_bytes(on)
    while True:
        can_tell = device.forget_peak(on)
        began = time.monotonic()
        size = _tried(gradients, slots, prior_weight)
        seconds = time.monotonic() - began
        peak = device.peak_allocated_bytes(on)
        fits = size is not None and (room is None or peak + to_come <= room)
        short, peak = ranks.largest(int(not fits), peak)
        if size is not None and not short:
            break
        yield gradients.halve()
    first = gradients.portion.passes(slots)[0]
    yield Measured(
        pictures=len(first.instances) + len(first.priors),
        width=size[0],
        height=size[1],
        peak_bytes=peak if can_tell else None,
        optimizer_bytes=to_come,
        seconds=seconds,
        compiled=compiles,
        repeats=gradients.repeat(slots, prior_weight) if deterministic else None,
    )


def largest(batches: BatchPlan, dataset: Dataset) -> tuple[Slot, ...]:
    """The step of the first epoch that has the most to hold: the largest pictures, most of them with class pictures."""

    def cost(slots: Sequence[Slot]) -> tuple[int, int]:
        size = dataset.concepts[slots[0].concept].sizes[slots[0].instance]
        return size.width * size.height, sum(slot.prior is not None for slot in slots)

    return max((batches.step(step) for step in range(batches.steps_per_epoch)), key=cost)


def _tried(gradients: Gradients, slots: Sequence[Slot], prior_weight: float) -> tuple[int, int] | None:
    try:
        return gradients.rehearse(slots, prior_weight)
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError(
            "compile.failed", "The U-Net cannot be compiled here: {reason}.",
            mend="Turn Compile (performance.compile) off; on a computer without a C++ compiler and, with a GPU, "
            "without Triton it does not work.", reason=reason,
        ) from error  # fmt: skip
