"""How many bytes of tensors are alive at most while something is computed: on tensors without memory, so that the real
sizes can be looked at anywhere.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class Live(TorchDispatchMode):
    """Counts the storages of all tensors that are made in it: `now`, and the most since `forget`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._seen: set[int] = set()

    def forget(self) -> None:
        self.most = self.now

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._seen:
            self._seen.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


@contextmanager
def counted() -> Iterator[Live]:
    """Everything in it is computed in shapes alone, and counted."""
    with FakeTensorMode(allow_non_fake_inputs=True), Live() as live:
        yield live


@contextmanager
def norms_as_on_a_gpu() -> Iterator[None]:
    """Autocast on a GPU computes group and layer norms in 32 bits, on a CPU it does not."""
    before = functional.group_norm, functional.layer_norm

    def in_32_bits(norm: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def computed(x: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None,
                     eps: float = 1e-5) -> Tensor:  # fmt: skip
            with torch.autocast("cpu", enabled=False):
                parts = (None if part is None else part.float() for part in (weight, bias))
                return norm(x.float(), shape, *parts, eps)

        return computed

    functional.group_norm, functional.layer_norm = (in_32_bits(norm) for norm in before)  # type: ignore[assignment]
    try:
        yield
    finally:
        functional.group_norm, functional.layer_norm = before  # type: ignore[assignment]
