"""Optimizers. Adding one is one entry here (and its line in the tests)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.choices.entry import Entry
from core.texts import UserError

if TYPE_CHECKING:
    from torch.optim import Optimizer as TorchOptimizer

Groups = list[dict[str, Any]]
"""Parameter groups as torch takes them: each with `params` and its own `lr`."""


@dataclass(frozen=True)
class Numbers:
    """What shapes an update beside its rate. Weight decay is decoupled (Loshchilov & Hutter, arXiv 1711.05101)."""

    betas: tuple[float, float]
    eps: float
    weight_decay: float


@dataclass(frozen=True)
class Optimizer(Entry):
    """`state_bytes` is what the optimizer keeps for each trained parameter, `usual` its own numbers.

    `takes` names those of betas and eps that it uses (weight decay: all do). `rate` is how its usual learning rate
    compares with AdamW's; `finds_rate` marks one whose rate is a factor around 1, the same for all that is trained.
    """

    registry = "optimizer"

    state_bytes: float
    usual: Numbers
    build: Callable[[Groups, Numbers], TorchOptimizer]
    takes: frozenset[str] = frozenset({"betas", "eps"})
    rate: float = 1.0
    finds_rate: bool = False
    steps_parts: bool = True
    """Whether it may update some of the weights before others, as bf16 weights need it."""
    learns: tuple[str, ...] = ()
    """What it keeps for a whole group rather than for each parameter."""
    needs: tuple[str, ...] = ()
    """Modules that must be installed beside torch."""
    needs_cuda: bool = False


def _adamw(groups: Groups, numbers: Numbers) -> TorchOptimizer:
    import torch

    return torch.optim.AdamW(
        groups, betas=numbers.betas, eps=numbers.eps, weight_decay=numbers.weight_decay, fused=True
    )


def _adamw_8bit(groups: Groups, numbers: Numbers) -> TorchOptimizer:
    return _of_bitsandbytes("AdamW8bit", groups, numbers, eps=numbers.eps)


def _paged_adamw_8bit(groups: Groups, numbers: Numbers) -> TorchOptimizer:
    return _of_bitsandbytes("PagedAdamW8bit", groups, numbers, eps=numbers.eps)


def _lion(groups: Groups, numbers: Numbers) -> TorchOptimizer:
    return _of_bitsandbytes("Lion32bit", groups, numbers)


def _lion_8bit(groups: Groups, numbers: Numbers) -> TorchOptimizer:
    return _of_bitsandbytes("Lion8bit", groups, numbers)


def _of_bitsandbytes(name: str, groups: Groups, numbers: Numbers, **more: float) -> TorchOptimizer:
    import bitsandbytes

    make = getattr(bitsandbytes.optim, name)
    optimizer: TorchOptimizer = make(groups, betas=numbers.betas, weight_decay=numbers.weight_decay, **more)
    return optimizer


def _adafactor(groups: Groups, numbers: Numbers) -> TorchOptimizer:
    """With the given rate, as it is: not relative to the step or to the size of the weights."""
    from transformers import Adafactor

    optimizer: TorchOptimizer = Adafactor(
        groups, lr=groups[0]["lr"], eps=(numbers.eps, 1e-3), weight_decay=numbers.weight_decay, scale_parameter=False,
        relative_step=False,
    )  # fmt: skip
    return optimizer


def _prodigy(groups: Groups, numbers: Numbers) -> TorchOptimizer:
    """As its authors advise for diffusion models: bias correction, and a warm-up that does not mislead its estimate."""
    from prodigyopt import Prodigy

    own = [{**group, "weight_decay": numbers.weight_decay} for group in groups]  # as an argument it is printed
    optimizer: TorchOptimizer = Prodigy(
        own, betas=numbers.betas, eps=numbers.eps, use_bias_correction=True, safeguard_warmup=True
    )
    return optimizer


_ADAM = Numbers(betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
_LION = Numbers(betas=(0.9, 0.99), eps=0.0, weight_decay=0.05)
"""Chen et al. (arXiv 2302.06675): a rate 3 to 10 times smaller than AdamW's, a decay as much larger."""

OPTIMIZERS: dict[str, Optimizer] = {
    entry.id: entry
    for entry in (
        Optimizer("adamw", "AdamW", "The reference. Eight bytes of state for each trained parameter.", 8, _ADAM,
                  _adamw),
        Optimizer(
            "adamw_8bit", "8bit AdamW",
            "AdamW with its state in eight bits (bitsandbytes): about a quarter of the memory, the same results.",
            2.03, _ADAM, _adamw_8bit, needs=("bitsandbytes",),
        ),
        Optimizer(
            "paged_adamw_8bit", "Paged 8bit AdamW",
            "8bit AdamW whose state moves to the computer's memory while the GPU's is full. Needs CUDA.",
            2.03, _ADAM, _paged_adamw_8bit, needs=("bitsandbytes",), needs_cuda=True,
        ),
        Optimizer(
            "lion", "Lion",
            "Follows only the sign of the gradient: half of AdamW's memory, a rate three to ten times smaller.",
            4, _LION, _lion, takes=frozenset({"betas"}), rate=0.2, needs=("bitsandbytes",),
        ),
        Optimizer(
            "lion_8bit", "8bit Lion", "Lion with its state in eight bits: about one byte for each trained parameter.",
            1.02, _LION, _lion_8bit, takes=frozenset({"betas"}), rate=0.2, needs=("bitsandbytes",),
        ),
        Optimizer(
            "adafactor", "Adafactor",
            "Keeps sums over rows and columns in place of whole moments: a quarter of AdamW's memory.",
            2.13, Numbers(betas=(0.0, 0.0), eps=1e-30, weight_decay=0.0), _adafactor, takes=frozenset({"eps"}),
        ),
        Optimizer(
            "prodigy", "Prodigy",
            "Finds the learning rate itself while it trains: leave the rate at 1. Sixteen bytes of state for each "
            "trained parameter.",
            16, _ADAM, _prodigy, finds_rate=True, steps_parts=False, learns=("k", "d", "d_max", "d_numerator"),
            needs=("prodigyopt",),
        ),
    )
}  # fmt: skip


def build(chosen: str, groups: Groups, numbers: Numbers) -> TorchOptimizer:
    """The torch optimizer of these groups. Raises `UserError` where it cannot work here; never takes another one."""
    entry = OPTIMIZERS[chosen]
    for module in entry.needs:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise UserError(
                "optimizer.unavailable",
                "The optimizer {optimizer} needs {module}, which does not work here: {reason}.",
                mend='Install it with `pip install {module}`, or set Optimizer (performance.optimizer) to "adamw".',
                optimizer=chosen, module=module, reason=str(error) or type(error).__name__,
            ) from error  # fmt: skip
    if entry.needs_cuda and groups[0]["params"][0].device.type != "cuda":
        raise UserError(
            "optimizer.needs-cuda", "The optimizer {optimizer} needs a CUDA GPU: it is there to spare its memory.",
            mend='Set Optimizer (performance.optimizer) to "{other}".', optimizer=chosen, other=without_cuda(chosen),
        )  # fmt: skip
    return entry.build(groups, numbers)


def without_cuda(chosen: str) -> str:
    """The optimizer that makes the same updates and works anywhere."""
    return chosen.removeprefix("paged_")


def numbers(chosen: str, betas: str, eps: float | str, weight_decay: float | str) -> Numbers:
    """What was chosen, `auto` becoming the optimizer's own."""
    usual = OPTIMIZERS[chosen].usual
    first, second = usual.betas if betas == "auto" else map(float, betas.split(","))
    return Numbers(
        (first, second),
        usual.eps if isinstance(eps, str) else eps,
        usual.weight_decay if isinstance(weight_decay, str) else weight_decay,
    )


def settle(asked: str, device: str) -> str:
    """What `auto` becomes on a device: 8bit AdamW on CUDA, AdamW elsewhere."""
    if asked != "auto":
        return asked
    return "adamw_8bit" if device.startswith("cuda") else "adamw"
