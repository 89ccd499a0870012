"""The trainer itself, with a view of what the bare loop needs of it."""

from __future__ import annotations

import torch

from core.bench.bare import BareLoop, Inputs
from core.training.device import Settled
from core.training.trainer import Trainer


class OpenTrainer(Trainer):
    """Trains as its parent does. What stands here may be asked for once the first step was made."""

    @property
    def settled(self) -> Settled:
        return self._settled

    @property
    def pictures_in_a_step(self) -> int:
        """Class pictures included."""
        slots = self._prepared.batches.step(self._step)
        return len(slots) + sum(slot.prior is not None for slot in slots)

    @property
    def components(self) -> list[str]:
        """What is trained now."""
        return self._optimization.components

    def wait(self) -> None:
        """Until the device has nothing left to do."""
        if self._settled.device.type == "cuda":
            torch.cuda.synchronize(self._settled.device)

    def bare_loop(self) -> BareLoop:
        """A loop over the same networks that puts as many pictures through them at a time, and as often."""
        passes = self._gradients.portion.passes(self._prepared.batches.step(self._step))
        return BareLoop(
            self._model, self._optimization, self._settled, self._inputs(), passes=len(passes),
            prior_weight=self._config.prior_loss.weight, max_grad_norm=self._config.performance.max_grad_norm,
        )  # fmt: skip

    def _inputs(self) -> Inputs:
        first = self._gradients.portion.passes(self._prepared.batches.step(self._step))[0]
        batch = self._prepared.assembler.batch(self._step, first)
        if self._conditioning.frozen:
            return Inputs(batch.x0, batch.geometry, self._conditioning.of(batch.wordings), batch.instances)
        tokens = self._model.tokenize([self._conditioning.text(wording) for wording in batch.wordings])
        on_device = {name: ids.to(self._settled.device) for name, ids in tokens.items()}
        return Inputs(batch.x0, batch.geometry, on_device, batch.instances)
