"""Ways to train a few small matrices instead of the model (LoRA and its kin), and where they are put. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.choices.entry import Entry
from core.choices.optimizers import Optimizer

WHOLE = "whole"
"""The method of a run without adapters: the model's own weights are trained."""


@dataclass(frozen=True)
class Method(Entry):
    """What is trained beside a weight W. Δ is scaled with alpha / rank."""

    registry = "method"


METHODS: dict[str, Method] = {
    entry.id: entry
    for entry in (
        Method("lora", "LoRA", "W + up · down (arXiv 2106.09685). Read by every program."),
        Method(
            "dora",
            "DoRA",
            "LoRA with the length of each row of W learned apart (arXiv 2402.09353): nearer to training the whole "
            "model, slower. Other programs read it badly; export it merged.",
        ),
        Method(
            "loha",
            "LoHa",
            "W + (a · b) ∘ (c · d), the Hadamard product (arXiv 2108.06098): more expression for the same size. "
            "Read by A1111, Forge and ComfyUI.",
        ),
        Method(
            "lokr",
            "LoKr",
            "W + a ⊗ b, the Kronecker product (arXiv 2309.14859): very small files. Read by A1111, Forge and ComfyUI.",
        ),
    )
}


@dataclass(frozen=True)
class Targets:
    """Which matrices of a network get an adapter, by the ends of their names."""

    id: str
    title: str
    unet: str
    text_encoder: str

    def pattern(self, component: str) -> str:
        """A regular expression for the whole of a module's name, with or without `text_model.`."""
        return rf".*\.(?:{self.unet if component == 'unet' else self.text_encoder})"

    def chosen(self, component: str, modules: Iterable[str]) -> list[str]:
        """Those of the modules that get an adapter, in their order."""
        wanted = re.compile(self.pattern(component))
        return [name for name in modules if wanted.fullmatch(name)]


_ATTENTION = r"attn[12]\.(?:to_q|to_k|to_v|to_out\.0)"
_MLP = r"ff\.net\.(?:0\.proj|2)"
_REST = (
    r"attentions\.\d+\.(?:proj_in|proj_out)|resnets\.\d+\.(?:conv1|conv2|conv_shortcut|time_emb_proj)"
    r"|(?:downsamplers|upsamplers)\.\d+\.conv"
)
_TEXT_ATTENTION = r"self_attn\.(?:q_proj|k_proj|v_proj|out_proj)"
_TEXT_MLP = r"mlp\.(?:fc1|fc2)"

TARGETS: dict[str, Targets] = {
    entry.id: entry
    for entry in (
        # diffusers cannot recognise a text encoder's LoRA without its out_proj.
        Targets("attention", "Attention", _ATTENTION, _TEXT_ATTENTION),
        Targets("attention+mlp", "Attention and MLP", f"{_ATTENTION}|{_MLP}", f"{_TEXT_ATTENTION}|{_TEXT_MLP}"),
        Targets("all", "All, with convolutions", f"{_ATTENTION}|{_MLP}|{_REST}", f"{_TEXT_ATTENTION}|{_TEXT_MLP}"),
    )
}


def settled_rate(asked: float | str, method: str, optimizer: Optimizer) -> float:
    """What a learning rate of `auto` becomes: small matrices that start at zero take a hundred times the rate."""
    if not isinstance(asked, str):
        return asked
    if optimizer.finds_rate:
        return optimizer.rate
    return (1e-6 if method == WHOLE else 1e-4) * optimizer.rate


def parameters(method: str, rank: int, shape: tuple[int, ...]) -> int:
    """How many numbers the adapter of one weight of this shape has: (out, in) or (out, in, height, width)."""
    out, inner = shape[0], shape[1]
    kernel = shape[2] * shape[3] if len(shape) == 4 else 1
    if method == "loha":
        return 2 * rank * (out + inner * kernel)
    if method == "lokr":
        (out_l, out_k), (in_m, in_n) = factorized(out), factorized(inner)
        full = rank >= max(out_k, in_n) / 2
        return out_l * in_m + (out_k * in_n * kernel if full else rank * (out_k + in_n * kernel))
    return rank * (out + inner * kernel) + (out if method == "dora" else 0)


def factorized(dimension: int) -> tuple[int, int]:
    """(m, n), m ≤ n, m · n = dimension and as near to each other as may be: LoKr's two sides."""
    small = next(m for m in range(int(dimension**0.5), 0, -1) if dimension % m == 0)
    return small, dimension // small
