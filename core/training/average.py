"""An exponential moving average of the trained weights (EMA): a calmer model than the one of the last update."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from core.training.trained import Trained


def decay_at(update: int, decay: float) -> float:
    """How much of the average stays at `update` (0 is the first): little at first, so that it leaves the source soon.

    min(decay, (1 + n) / (10 + n)), as TensorFlow's `ExponentialMovingAverage` has it.
    """
    return min(decay, (1 + update) / (10 + update))


class Average:
    """Keeps the average of `trained` in fp32 beside the weights, on their device; of nothing, it does nothing.

    A component that stops training leaves it: from then on everything that is learned is learned with its raw
    weights, so these belong to the averaged model too.
    """

    def __init__(self, trained: Trained, decay: float) -> None:
        self._decay = decay
        self._weights = dict(trained.named_parameters())
        self._held = {name: weight.detach().to(torch.float32, copy=True) for name, weight in self._weights.items()}

    @torch.no_grad()
    def update(self, update: int) -> None:
        """Take in the weights that `update` (0 is the first) has made."""
        share = 1 - decay_at(update, self._decay)
        exact = {name: weight for name, weight in self._weights.items() if weight.dtype == torch.float32}
        if exact:
            torch._foreach_lerp_([self._held[name] for name in exact], list(exact.values()), share)
        for name in self._weights.keys() - exact.keys():
            self._held[name].lerp_(self._weights[name].float(), share)

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """The average in the place of the weights for as long as this is open; afterwards they are back, to the bit."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def drop(self, component: str) -> None:
        """Forget a component that is not trained any more."""
        for name in [name for name in self._weights if name.startswith(f"{component}/")]:
            del self._weights[name], self._held[name]

    def state(self) -> Mapping[str, Tensor]:
        """The average itself (no copies), by `component/file name`."""
        return self._held

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave. Raises `KeyError` where a trained weight is not among it."""
        for name, average in self._held.items():
            average.copy_(tensors[name])

    def _exchange(self) -> None:
        for name, weight in self._weights.items():
            weight.data, self._held[name] = self._held[name], weight.data
