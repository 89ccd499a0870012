"""Ways to compute the U-Net's attention. Adding one is one entry here and its processor in `training/attention.py`.

All give the same numbers to rounding; they differ in speed and memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.choices.entry import Entry
from core.texts import UserError

XFORMERS_FLOOR = "0.0.35"
"""The first that any torch from 2.10 on can load: those before were built for one torch each."""


@dataclass(frozen=True)
class Attention(Entry):
    """`floor` is the oldest version of the module it `needs` that works here."""

    registry = "attention"

    needs: str = ""
    floor: str = ""
    needs_cuda: bool = False
    repeats: bool = True
    """Whether its gradients can be the same bits again."""


ATTENTIONS: dict[str, Attention] = {
    entry.id: entry
    for entry in (
        Attention("sdpa", "PyTorch (SDPA)", "torch's own, with flash and memory-efficient kernels. Works everywhere."),
        Attention(
            "xformers", "xFormers", "Memory-efficient attention of the xformers package, for NVIDIA GPUs.",
            needs="xformers", floor=XFORMERS_FLOOR, needs_cuda=True, repeats=False,
        ),
    )
}  # fmt: skip


def problem(asked: str, device: str, version: str | None) -> UserError | None:
    """Why a choice cannot be used, as far as that is known without trying. `version` is that of the module it needs,
    `None` where it is not installed.
    """
    entry = ATTENTIONS.get(asked)
    if entry is None or not entry.needs:
        return None
    values = {"title": entry.title, "module": entry.needs, "floor": entry.floor, "version": version or ""}
    if version is None:
        return UserError(
            "attention.missing", "{title} is not installed here.",
            mend='Install it with `pip install "{module}>={floor}"`, or set Attention (performance.attention) '
            "to sdpa.", **values,
        )  # fmt: skip
    if _numbers(version) < _numbers(entry.floor):
        return UserError(
            "attention.too-old", "{title} {version} is too old: {floor} or newer is needed.",
            mend='Install it with `pip install "{module}>={floor}"`, or set Attention (performance.attention) '
            "to sdpa.", **values,
        )  # fmt: skip
    if entry.needs_cuda and device != "cuda":
        return UserError(
            "attention.needs-gpu", "{title} works on NVIDIA GPUs only, and there is none here that torch can use.",
            mend="Set Attention (performance.attention) to sdpa.", **values,
        )  # fmt: skip
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """`0.0.33.post2+cu128` → (0, 0, 33)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
