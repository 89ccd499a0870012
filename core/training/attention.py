"""The U-Net's attention: whether a way to compute it works here, which is the fastest, and putting it into a model."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import torch
from diffusers.models.attention_processor import AttnProcessor2_0, XFormersAttnProcessor
from torch import Tensor
from torch.nn import functional

from core.choices.attention import ATTENTIONS, problem
from core.families.model import Model
from core.texts import UserError

HEADS, HEAD_WIDTH, SIDE = 8, 64, 64
"""The shapes a choice is tried and timed on: about those of the U-Net's largest layer at 512 px."""
REPEATS = 10


def settle(asked: str, device: torch.device, dtype: torch.dtype, *, deterministic: bool) -> str:
    """What `auto` becomes: the fastest that works on this device (with `deterministic`: and repeats its bits).

    Raises `UserError` for a choice that does not work here.
    """
    if asked != "auto":
        error = _tried(asked, device, dtype)
        if error is not None:
            raise error
        return asked
    usable = [
        entry.id
        for entry in ATTENTIONS.values()
        if (entry.repeats or not deterministic) and _tried(entry.id, device, dtype) is None
    ]
    return usable[0] if len(usable) == 1 else min(usable, key=lambda name: _seconds(name, device, dtype))


def use(model: Model, attention: str) -> None:
    """Let the U-Net compute its attention so; its weights stay where they are."""
    model.unet.set_attn_processor(XFormersAttnProcessor() if attention == "xformers" else AttnProcessor2_0())


def _tried(asked: str, device: torch.device, dtype: torch.dtype) -> UserError | None:
    """Why it cannot be used, `None` where a real forward and backward pass has worked."""
    entry = ATTENTIONS[asked]
    if not entry.needs:
        return None
    known = problem(asked, device.type, _version(entry.needs))
    if known is not None:
        return known
    try:
        _pass(_computed(asked), device, dtype, side=8)
    except Exception as error:  # whatever a library built for another torch or card raises
        return UserError(
            "attention.fails", "{title} is installed and does not work here: {reason}.",
            mend='Install the build for this torch and GPU (`pip install "{module}>={floor}"`), or set '
            "Attention (performance.attention) to sdpa.",
            title=entry.title, module=entry.needs, floor=entry.floor,
            reason=(str(error).strip() or type(error).__name__).splitlines()[0].rstrip("."),
        )  # fmt: skip
    return None


def _version(module: str) -> str | None:
    try:
        return version(module)
    except PackageNotFoundError:
        return None


def _computed(attention: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Attention over (heads, tokens, width)."""
    if attention == "xformers":
        from xformers.ops import memory_efficient_attention

        return memory_efficient_attention  # type: ignore[no-any-return]
    return functional.scaled_dot_product_attention


def _pass(
    attention: Callable[[Tensor, Tensor, Tensor], Tensor], device: torch.device, dtype: torch.dtype, *, side: int
) -> None:
    """Forward and backward on made-up tensors of side² tokens."""
    shape = (HEADS, side * side, HEAD_WIDTH)
    query, key, value = (torch.ones(shape, device=device, dtype=dtype, requires_grad=True) for _ in range(3))
    torch.autograd.backward(attention(query, key, value).float().sum())


def _seconds(attention: str, device: torch.device, dtype: torch.dtype) -> float:
    """Of `REPEATS` passes, after some that count for nothing."""
    computed = _computed(attention)
    for _ in range(3):
        _pass(computed, device, dtype, side=SIDE)
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(REPEATS):
        _pass(computed, device, dtype, side=SIDE)
    torch.cuda.synchronize(device)
    return time.perf_counter() - began
