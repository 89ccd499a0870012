"""The gradients of one step's effective batch, in as many passes as the device's memory asks for.

However the batch is cut up and divided among processes, noise belongs to slots and losses divide by the counts of the
whole, so the update is the same to rounding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.config.options import RunConfig
from core.data.batches import Slot
from core.events import Warned
from core.training import faults
from core.training.batches import Batch
from core.training.device import Settled, lack_of_memory
from core.training.exchange import Exchange
from core.training.loss import Shares, add_noise, dreambooth_loss, snr_weights, squared_errors, target_of
from core.training.optimization import Optimization
from core.training.passes import Portion
from core.training.precision import LossScale, autocast
from core.training.prepare import Prepared
from core.training.ranks import Ranks


@dataclass(frozen=True)
class Figures:
    """The instance loss, prior loss and gradient norm of an effective batch, as they are on the host."""

    instance: float
    prior: float
    norm: float

    @property
    def bits(self) -> bytes:
        """To compare by: no number is equal to NaN, not even NaN."""
        return struct.pack("3d", self.instance, self.prior, self.norm)


class Gradients:
    """Forward and backward of this rank's slots, one `portion` at a time. `look` is called after each pass.

    `steps` is how many the run has: the first pictures of the next one are drawn while the device still computes.
    """

    def __init__(
        self,
        config: RunConfig,
        prepared: Prepared,
        settled: Settled,
        optimization: Optimization,
        scale: LossScale,
        ranks: Ranks,
        *,
        steps: int,
        portion: Portion,
        look: Callable[[], None],
    ) -> None:
        self._config, self._prepared, self._settled = config, prepared, settled
        self._optimization, self._scale, self._ranks = optimization, scale, ranks
        self._trained: list[str] = []
        self._sums = Exchange(ranks, ())
        self._steps = steps
        gamma = config.performance.snr_gamma
        self._error_weights = snr_weights(prepared.model.schedule, gamma) if gamma > 0 else None
        self._look = look
        self._ahead: tuple[int, Batch] | None = None
        self.portion = portion
        self.norm = torch.zeros(())
        """The norm of the gradients that are held now, unscaled, on the device."""

    def if_they_fit(self, step: int, slots: Sequence[Slot], prior_weight: float) -> Figures | None:
        """Gradients of the whole effective batch of `step`, and its figures. `None` where some device's memory is not
        enough; by then nothing holds what filled it any more.
        """
        parts, exchange = torch.zeros(2, device=self._settled.device), self._exchange()
        short = False
        try:
            with lack_of_memory():
                self._back(step, slots, prior_weight, parts)
        except torch.OutOfMemoryError:
            short = True
        if not exchange.finish(short=short):
            return None
        return self._figures(step, parts)

    def of(self, step: int, slots: Sequence[Slot], prior_weight: float) -> Figures:
        """The same where it is known to fit; raises `OutOfMemoryError` otherwise."""
        figures = self.if_they_fit(step, slots, prior_weight)
        if figures is None:
            raise torch.OutOfMemoryError("what had fitted does not fit")
        return figures

    def _back(self, step: int, slots: Sequence[Slot], prior_weight: float, parts: Tensor) -> None:
        """Every pass of this rank's share of the effective batch; `parts` (2,) takes in its losses."""
        passes = self.portion.passes(self._ranks.share(slots))
        for place, these in enumerate(passes, 1):
            ahead = self._taken(step) if place == 1 else None
            if place == len(passes):
                self._exchange().expect()
            parts += self._pass(ahead or self._prepared.assembler.batch(step, these), slots, prior_weight)
            self._look()

    def _figures(self, step: int, parts: Tensor) -> Figures:
        """They come in one copy, the only wait for the device in a step, looked at before weights are touched."""
        self._ranks.add_up(parts)
        self.norm = self._optimization.unscaled_norm(self._scale.scale)
        figures = torch.cat((parts, self.norm[None]))
        self._prefetch(step + 1)
        with self._ranks.waiting():
            return Figures(*figures.tolist())

    def _exchange(self) -> Exchange:
        """That of what is trained now: a text encoder may have stopped since the step before."""
        if self._trained != self._optimization.components:
            self._sums.close()
            self._trained = self._optimization.components
            self._sums = Exchange(self._ranks, self._optimization.parameters())
        return self._sums

    def rehearse(self, slots: Sequence[Slot], prior_weight: float) -> tuple[int, int] | None:
        """As much of a step as may need the most memory, then nothing is left of it: a second pass runs beside the
        gradients of the first. Returns width and height of its pictures in px, `None` where it does not fit.
        """
        size = None
        try:
            with lack_of_memory():
                for these in self.portion.passes(self._ranks.share(slots))[:2]:
                    batch = self._prepared.assembler.batch(0, these)
                    size = (batch.x0.shape[-1], batch.x0.shape[-2])
                    self._pass(batch, slots, prior_weight)
                    self._look()
        except torch.OutOfMemoryError:
            size = None
        self._optimization.discard_gradients()
        factor = self._prepared.model.latent_factor
        return None if size is None else (size[0] * factor, size[1] * factor)

    def repeat(self, slots: Sequence[Slot], prior_weight: float) -> bool:
        """Whether the same pictures give the same bits of loss and gradient norm twice. The loss is not scaled for it:
        the first scale of a run is often too large, and what overflows tells nothing.
        """
        scale, self._scale.scale = self._scale.scale, 1.0
        try:
            first, second = (self._once(slots, prior_weight).bits for _ in range(2))
        finally:
            self._scale.scale = scale
        return first == second

    def apply(self) -> None:
        """Change the weights by the gradients that are held.

        Raises `UserError` where the optimizer finds no memory: some weights may be changed by then and others not, so
        nothing may be saved afterwards.
        """
        if not self._optimization.optimizer.state:
            torch.cuda.empty_cache()  # what the first pass left behind in pieces is room for the optimizer's state
        try:
            with lack_of_memory():
                self._optimization.update(self.norm)
            return
        except torch.OutOfMemoryError:
            pass
        raise faults.no_room_for_the_optimizer(self._config)

    def halve(self) -> Warned:
        """After a lack of memory: the same effective batch in smaller pieces, down to a single picture.

        Raises `UserError` with advice where it cannot be cut any smaller.
        """
        self._optimization.discard_gradients()
        self._ahead = None
        torch.cuda.empty_cache()
        pairs = any(concept.prior for concept in self._prepared.dataset.concepts)
        smaller = self.portion.halved(pairs=pairs)
        if smaller is None:
            raise faults.out_of_memory(self._config, self._settled.size)
        self.portion = smaller
        return faults.smaller_batches(smaller.slots, with_class=pairs and not smaller.split_pairs)

    def _once(self, slots: Sequence[Slot], prior_weight: float) -> Figures:
        figures = self.of(self._steps, slots, prior_weight)
        self._optimization.discard_gradients()
        return figures

    def _pass(self, batch: Batch, slots: Sequence[Slot], prior_weight: float) -> Tensor:
        """One pass of these slots' step: noise the latents, predict, compare, and back. Returns its part of the
        instance and the prior loss (2,).
        """
        whole = Shares(len(slots), sum(slot.prior is not None for slot in slots))
        model = self._prepared.model
        x = add_noise(model.schedule, batch.x0, batch.noise, batch.t)
        with autocast(self._settled.precision, self._settled.device):
            cond = model.conditioning(self._prepared.conditioning.of(batch.wordings), batch.geometry)
            pred = model.denoise(x, batch.t, cond)
        errors = squared_errors(pred, target_of(model.schedule, batch.x0, batch.noise, batch.t), batch.mask)
        if self._error_weights is not None:
            errors = errors * self._error_weights[batch.t]
        loss, parts = dreambooth_loss(errors, batch.instances, whole, prior_weight)
        torch.autograd.backward(loss * self._scale.scale)
        return parts

    def _taken(self, step: int) -> Batch | None:
        """What was drawn ahead for this step; it is given away once."""
        ahead, self._ahead = self._ahead, None
        return ahead[1] if ahead is not None and ahead[0] == step else None

    def _prefetch(self, step: int) -> None:
        """Draw and send the first pass of `step`: a GPU still computes the one before meanwhile."""
        if step < self._steps:
            first = self.portion.passes(self._ranks.share(self._prepared.batches.step(step)))[0]
            self._ahead = (step, self._prepared.assembler.batch(step, first))
