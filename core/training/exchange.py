"""Gradients summed over all processes, a piece at a time while the backward pass still goes on.

torch's `DistributedDataParallel` does the same, but wraps one module (here several train, and some stop on the way),
divides by the number of processes (here the loss has divided already), leaves the others waiting where one process
lacks memory, and wants to be told of parameters that get no gradient: SDXL's last text layers, captions that were
dropped. Here every process sends every piece whatever becomes of it, and then all agree on what it was worth.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from core.training.ranks import Ranks

PIECE_BYTES = 25 * 2**20
"""Gradients that travel together, as in torch's own."""
WHOLE_BYTES = 2**20
"""A gradient of this size travels as it is; smaller ones are put together into one tensor first."""


class Exchange:
    """The gradients of `parameters`, the same in the same order in every process.

    Around the last backward pass of a step: `expect`, then `finish`. Which parameters get gradients, and in which
    order, is learned in the first step: from then on the pieces travel during the pass.
    """

    def __init__(self, ranks: Ranks, parameters: Sequence[nn.Parameter]) -> None:
        self._ranks = ranks
        self._parameters = list(parameters)
        self._known: list[int] = []
        """The parameters that have ever had a gradient, in the order of the first rank's first pass."""
        self._pieces: list[list[int]] = []
        self._piece_of: dict[int, int] = {}
        self._missing: list[set[int]] = []
        self._arrived: list[int] = []
        self._sent = 0
        self._works: list[tuple[dist.Work, torch.device]] = []
        self._together: list[tuple[Tensor, list[Tensor]]] = []
        self._expected = False
        self._hooks: list[RemovableHandle] = []
        if ranks.count > 1:
            self._hooks = [
                parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    lambda _, number=number: self._arrive(number)
                )
                for number, parameter in enumerate(self._parameters)
            ]

    def expect(self) -> None:
        """The next backward pass is the last of this step."""
        self._missing = [set(piece) for piece in self._pieces]
        self._arrived, self._expected = [], True

    def finish(self, *, short: bool) -> bool:
        """Send what is left; true where every process has the sums in its gradients now.

        `short`: this one had too little memory. Where any had, none can use the sums. Nothing here waits for a device.
        """
        if self._ranks.count == 1:
            return not short
        self._expected = False
        before_sending = [int(parameter.grad is not None) for parameter in self._parameters]
        if short:
            self._forget_unsent()
        with self._ranks.waiting():
            while self._sent < len(self._pieces):
                self._send(self._pieces[self._sent])
                self._sent += 1
        here = before_sending if not short else [0] * len(self._parameters)
        absent, *anywhere = self._ranks.largest(int(short), *here)
        if not absent:
            self._learn([number for number, has in enumerate(anywhere) if has and number not in self._piece_of])
        with self._ranks.waiting():
            self._settle()
        for number, parameter in enumerate(self._parameters):
            if not anywhere[number]:
                parameter.grad = None
        self._sent = 0
        return not absent

    def close(self) -> None:
        """Leave the parameters as they were."""
        for hook in self._hooks:
            hook.remove()

    def _arrive(self, number: int) -> None:
        """A gradient is whole. A piece goes once it and all before it are, so that all processes send alike."""
        if not self._expected:
            return
        self._arrived.append(number)
        place = self._piece_of.get(number)
        if place is None:
            return
        if place < self._sent:
            raise RuntimeError("a gradient has changed after it was sent")
        self._missing[place].discard(number)
        while self._sent < len(self._pieces) and not self._missing[self._sent]:
            self._send(self._pieces[self._sent])
            self._sent += 1

    def _send(self, piece: Sequence[int]) -> None:
        gradients = []
        for number in piece:
            parameter = self._parameters[number]
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        small = [gradient for gradient in gradients if gradient.nbytes < WHOLE_BYTES]
        for gradient in gradients:
            if gradient.nbytes >= WHOLE_BYTES:
                self._works.append(_sum(gradient))
        if small:
            together = torch.cat([gradient.flatten() for gradient in small])
            self._together.append((together, small))
            self._works.append(_sum(together))

    def _settle(self) -> None:
        """Put the sums where they belong, once they are there."""
        for work, device in self._works:
            self._ranks.wait_for(work, device)
        for together, small in self._together:
            parts = torch.split(together, [gradient.numel() for gradient in small])
            torch._foreach_copy_(small, [part.view_as(gradient) for part, gradient in zip(parts, small, strict=True)])
        self._works, self._together = [], []

    def _learn(self, new: list[int]) -> None:
        """Gradients that nobody had before: they travel now, and from the next step on during the pass."""
        if not new:
            return
        place = {number: place for place, number in enumerate(self._arrived)}
        order = self._ranks.first_of(
            torch.tensor(sorted(new, key=lambda number: place.get(number, len(place) + number)))
        ).tolist()
        self._known += order
        with self._ranks.waiting():
            for piece in self._in_pieces(order):
                self._send(piece)
        self._pieces = self._in_pieces(self._known)
        self._piece_of = {number: place for place, piece in enumerate(self._pieces) for number in piece}

    def _in_pieces(self, numbers: Sequence[int]) -> list[list[int]]:
        pieces: list[list[int]] = []
        room = 0
        for number in numbers:
            size = self._parameters[number].nbytes
            if size > room:
                pieces.append([])
                room = PIECE_BYTES
            pieces[-1].append(number)
            room -= size
        return pieces

    def _forget_unsent(self) -> None:
        """Make room for the zeros that are sent in the place of what this process could not compute."""
        sent = {number for piece in self._pieces[: self._sent] for number in piece}
        for number, parameter in enumerate(self._parameters):
            if number not in sent:
                parameter.grad = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _sum(tensor: Tensor) -> tuple[dist.Work, torch.device]:
    return dist.all_reduce(tensor, async_op=True), tensor.device
