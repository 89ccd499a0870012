"""Optimizers. Adding one is one entry here (and its line in the tests)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.texts import UserError

if TYPE_CHECKING:
    from torch.optim import Optimizer as TorchOptimizer

Groups = list[dict[str, Any]]
"""Parameter groups as torch takes them: each with `params` and its own `lr`."""


@dataclass(frozen=True)
class Optimizer:
    """`state_bytes` is what the optimizer keeps for each trained parameter."""

    id: str
    title: str
    help: str
    state_bytes: float
    build: Callable[[Groups, float], TorchOptimizer]
    """(groups, weight decay) → the torch optimizer."""
    needs: tuple[str, ...] = ()
    """Modules that must be installed beside torch."""


def _adamw(groups: Groups, weight_decay: float) -> TorchOptimizer:
    import torch

    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay, fused=True)


def _adamw_8bit(groups: Groups, weight_decay: float) -> TorchOptimizer:
    try:
        import bitsandbytes
    except Exception as error:
        raise UserError(
            "optimizer.unavailable",
            "The optimizer adamw_8bit needs bitsandbytes, which does not work here: {reason}.",
            mend='Install it with `pip install bitsandbytes`, or choose performance.optimizer = "adamw".',
            reason=str(error) or type(error).__name__,
        ) from error
    optimizer: TorchOptimizer = bitsandbytes.optim.AdamW8bit(
        groups, betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay
    )
    return optimizer


OPTIMIZERS: dict[str, Optimizer] = {
    entry.id: entry
    for entry in (
        Optimizer("adamw", "AdamW", "The reference. Eight bytes of state for each trained parameter.", 8, _adamw),
        Optimizer(
            "adamw_8bit",
            "8bit AdamW",
            "AdamW with its state in eight bits (bitsandbytes): about a quarter of the memory, the same results.",
            2.03,
            _adamw_8bit,
            needs=("bitsandbytes",),
        ),
    )
}


def settle(asked: str, device: str) -> str:
    """What `auto` becomes on a device: 8bit AdamW on CUDA, AdamW elsewhere."""
    if asked != "auto":
        return asked
    return "adamw_8bit" if device.startswith("cuda") else "adamw"
