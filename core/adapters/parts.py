"""The parts of an adapter by their names in files, and the formula of each method.

Two ways of naming are in use. peft's (`lora_A.weight`) stand in our own states and in diffusers' files, kohya's and
LyCORIS' (`lora_down.weight`, `dora_scale`, `hada_w1_a`, `lokr_w1`, and `alpha` beside them) in files for other
programs. The formulas take the latter, because they carry their strength with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from core.adapters.kind import Strength

Parts = Mapping[str, Tensor]
"""The tensors of one adapter by kohya's part names."""

_STORED = re.compile(r"(.+)\.(lora_[AB]\.weight|lora_magnitude_vector\.weight|(?:hada|lokr)_w[12](?:_[ab])?)")
_KOHYA = {
    "lora_A.weight": "lora_down.weight",
    "lora_B.weight": "lora_up.weight",
    "lora_magnitude_vector.weight": "dora_scale",
}


def as_stored(name: str, adapter: str) -> str:
    """peft's name of a parameter in a layer without the adapter's: `lora_A.default.weight` → `lora_A.weight`."""
    return ".".join(part for part in name.split(".") if part != adapter)


def by_module(stored: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Module (its file name) → part as peft names it → tensor."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in stored.items():
        match = _STORED.fullmatch(name)
        if match is None:
            raise ValueError(f"{name} is no part of an adapter")
        found.setdefault(match[1], {})[match[2]] = tensor
    return found


def kohya_parts(parts: Mapping[str, Tensor], strength: Strength) -> dict[str, Tensor]:
    """The same adapter with kohya's part names and its alpha; nothing is copied but what changes."""
    renamed = {_KOHYA.get(name, name): tensor.detach() for name, tensor in parts.items()}
    alpha = strength.alpha
    if "dora_scale" in renamed:  # LyCORIS: one length for each row, in as many dimensions as the weight has
        up = renamed["lora_up.weight"]
        renamed["dora_scale"] = renamed["dora_scale"].reshape(-1, *[1] * (up.dim() - 1))
    if "lokr_w1" in renamed and "lokr_w2" in renamed:
        # Readers know no rank of an adapter whose two factors are whole, and leave out the strength.
        renamed["lokr_w1"] = renamed["lokr_w1"] * (alpha / strength.rank)
        alpha = float(strength.rank)
    return {**renamed, "alpha": torch.tensor(alpha)}


def changed(weight: Tensor, parts: Parts) -> Tensor:
    """The weight (out, in) or (out, in, h, w) with its adapter in it, in fp32. Formulas: see `choices.adapters`."""
    whole = weight.float()
    new = whole + _difference(parts).reshape(whole.shape)
    if "dora_scale" in parts:
        lengths = new.flatten(1).norm(dim=1).view(-1, *[1] * (new.dim() - 1))
        new = new * (_part(parts, "dora_scale").to(new.device).view_as(lengths) / lengths)
    return new


def _difference(parts: Parts) -> Tensor:
    if "lora_down.weight" in parts:
        down, up = _part(parts, "lora_down.weight"), _part(parts, "lora_up.weight")
        return up.flatten(1) @ down.flatten(1) * (parts["alpha"].item() / len(down))
    if "hada_w1_a" in parts:
        first, second = (_part(parts, f"hada_w{n}_a") @ _part(parts, f"hada_w{n}_b") for n in (1, 2))
        return first * second * (parts["alpha"].item() / len(parts["hada_w1_b"]))
    first = _part(parts, "lokr_w1")
    if "lokr_w2" in parts:
        second = _part(parts, "lokr_w2")
        # A convolution's second factor has its kernel; the first has one of 1 × 1.
        return torch.kron(first.view(*first.shape, *[1] * (second.dim() - 2)), second)
    second = _part(parts, "lokr_w2_a") @ _part(parts, "lokr_w2_b")
    return torch.kron(first, second) * (parts["alpha"].item() / len(parts["lokr_w2_b"]))


def _part(parts: Parts, name: str) -> Tensor:
    return parts[name].float()
