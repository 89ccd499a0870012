"""The gradients of one step's effective batch, in as many passes as the device's memory asks for.

However the batch is cut up, noise belongs to slots and losses divide by the counts of the whole, so the update is the
same to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.batches import Slot
from core.events import Warned
from core.training import faults
from core.training.batches import Batch
from core.training.device import Settled
from core.training.loss import Shares, add_noise, dreambooth_loss, squared_errors, target_of
from core.training.optimization import Optimization
from core.training.precision import LossScale, autocast
from core.training.prepare import Prepared


@dataclass(frozen=True)
class Figures:
    """The instance loss, prior loss and gradient norm of an effective batch, as they are on the host."""

    instance: float
    prior: float
    norm: float


class Gradients:
    """Forward and backward of `micro_batch` slots at a time. `look` is called after each pass.

    `steps` is how many the run has: the first pictures of the next one are drawn while the device still computes.
    """

    def __init__(
        self,
        prepared: Prepared,
        settled: Settled,
        optimization: Optimization,
        scale: LossScale,
        *,
        steps: int,
        micro_batch: int,
        look: Callable[[], None],
    ) -> None:
        self._prepared, self._settled = prepared, settled
        self._optimization, self._scale = optimization, scale
        self._steps = steps
        self._look = look
        self._ahead: tuple[int, Batch] | None = None
        self.micro_batch = micro_batch
        self.norm = torch.zeros(())
        """The norm of the gradients that are held now, unscaled, on the device."""

    def if_they_fit(self, step: int, slots: Sequence[Slot], prior_weight: float) -> Figures | None:
        """`None` where the device's memory is not enough; by then nothing holds what filled it any more."""
        try:
            return self.of(step, slots, prior_weight)
        except torch.OutOfMemoryError:
            return None

    def of(self, step: int, slots: Sequence[Slot], prior_weight: float) -> Figures:
        """Gradients of the whole effective batch of `step`, and its figures.

        These come in one copy, the only wait for the device in a step, looked at before weights are touched.
        """
        whole = Shares(len(slots), sum(slot.prior is not None for slot in slots))
        parts = torch.zeros(2, device=self._settled.device)
        for start in range(0, len(slots), self.micro_batch):
            loss, part = self._loss(self._batch(step, slots, start), whole, prior_weight)
            torch.autograd.backward(loss * self._scale.scale)
            parts += part
            self._look()
        self.norm = self._optimization.unscaled_norm(self._scale.scale)
        figures = torch.cat((parts, self.norm[None]))
        self._prefetch(step + 1)
        return Figures(*figures.tolist())

    def halve(self) -> Warned:
        """After a lack of memory: the same effective batch in smaller pieces, down to one picture.

        Raises `UserError` with advice where it cannot be cut any smaller.
        """
        self._optimization.discard_gradients()
        self._ahead = None
        torch.cuda.empty_cache()
        if self.micro_batch == 1:
            raise faults.out_of_memory(self._settled.size)
        self.micro_batch = -(-self.micro_batch // 2)
        return faults.smaller_batches(self.micro_batch)

    def _loss(self, batch: Batch, whole: Shares, prior_weight: float) -> tuple[Tensor, Tensor]:
        """One pass: noise the latents, predict, compare. See `dreambooth_loss` for what comes back."""
        model = self._prepared.model
        x = add_noise(model.schedule, batch.x0, batch.noise, batch.t)
        with autocast(self._settled.precision, self._settled.device):
            cond = model.conditioning(self._prepared.conditioning.of(batch.items), batch.geometry)
            pred = model.denoise(x, batch.t, cond)
        errors = squared_errors(pred, target_of(model.schedule, batch.x0, batch.noise, batch.t))
        return dreambooth_loss(errors, batch.instances, whole, prior_weight)

    def _batch(self, step: int, slots: Sequence[Slot], start: int) -> Batch:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == step and start == 0:
            return ahead[1]
        return self._prepared.assembler.batch(step, slots[start : start + self.micro_batch])

    def _prefetch(self, step: int) -> None:
        """Draw and send the first pictures of `step`: a GPU still computes the one before meanwhile."""
        if step < self._steps:
            slots = self._prepared.batches.step(step)[: self.micro_batch]
            self._ahead = (step, self._prepared.assembler.batch(step, slots))
