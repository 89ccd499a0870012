"""Weights that are kept in bf16: updated in fp32, a part at a time, and rounded at random.

bf16 has 8 bits of precision: rounded to the nearest, an update below 2⁻⁹ of its weight is lost, each time. Rounded up
or down with a probability in proportion to what is cut off, it comes through on average (Zamirai et al., arXiv
2010.06192).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from core.seeds import generator

PART = 2**24
"""Weights that are in fp32 at a time: 64 MB of them, as much again for their gradients and for the random bits."""


def round_randomly(exact: Tensor, random: torch.Generator) -> Tensor:
    """`exact` (fp32, finite) as bf16: one of its two neighbours, so that the mean over many draws is `exact`."""
    bits = torch.randint(0, 1 << 16, exact.shape, dtype=torch.int32, device=exact.device, generator=random)
    bits.add_(exact.view(torch.int32)).bitwise_and_(-(1 << 16))
    return bits.view(torch.float32).to(torch.bfloat16)


class Shadows:
    """An optimizer's own view of bf16 weights: parameters in fp32 that are filled while they are updated, empty else.

    `parameters` maps names to the bf16 weights; the optimizer is built over `of` these names.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], seed: int) -> None:
        self._seed = seed
        self._weights = dict(parameters)
        self._shadows = {
            name: nn.Parameter(torch.empty(0, device=weight.device)) for name, weight in parameters.items()
        }

    def of(self, name: str) -> nn.Parameter:
        """What the optimizer is to have in the place of the weight `name`."""
        return self._shadows[name]

    def drop(self, name: str) -> None:
        """Forget a weight that is not trained any more."""
        del self._weights[name], self._shadows[name]

    @torch.no_grad()
    def step(self, optimizer: Optimizer, update: int, scale: Tensor | None) -> None:
        """One update of every weight that has a gradient, the gradients times `scale` (a scalar on their device).

        The random bits belong to (seed, weight, update), so a resumed run rounds as it would have.
        """
        for names in self._parts():
            for name in names:
                weight, shadow = self._weights[name], self._shadows[name]
                shadow.data = weight.float()
                shadow.grad = weight.grad.float() if weight.grad is not None else None
            if scale is not None:
                torch._foreach_mul_([grad for name in names if (grad := self._shadows[name].grad) is not None], scale)
            optimizer.step()
            for name in names:
                weight, shadow = self._weights[name], self._shadows[name]
                weight.copy_(
                    round_randomly(shadow.data, generator(self._seed, f"rounding/{name}", update, device=weight.device))
                )
                shadow.grad = None
                shadow.data = torch.empty(0, device=weight.device)

    def _parts(self) -> Iterator[list[str]]:
        names: list[str] = []
        size = 0
        for name, weight in self._weights.items():
            if weight.grad is None:
                continue
            if names and size + weight.numel() > PART:
                yield names
                names, size = [], 0
            names.append(name)
            size += weight.numel()
        if names:
            yield names
