"""What a graphics card can compute at most, for the share of it that training uses (MFU)."""

from __future__ import annotations

import re
from dataclasses import dataclass

HALF = frozenset({"bf16", "fp16"})


@dataclass(frozen=True)
class Card:
    """`name` is a regular expression for what the driver calls it; `peak` are floating point operations per second in
    16 bits, dense, with sums in 32 bits.
    """

    name: str
    peak: float
    source: str


_HOPPER = "NVIDIA H100 and H200 data sheets, half of what they say with sparsity"
_AMPERE = "NVIDIA A100 data sheet"
_ADA = "NVIDIA Ada architecture white paper, 16 bits with sums in 32"

CARDS = (
    Card(r"H100 80GB HBM3|H100 SXM\d?", 989.4e12, _HOPPER),
    Card(r"H100 PCIe", 756e12, _HOPPER),
    Card(r"H100 NVL", 835e12, _HOPPER),
    Card(r"H200", 989.4e12, _HOPPER),
    Card(r"H200 NVL", 836e12, _HOPPER),
    Card(r"A100[- ].*", 312e12, _AMPERE),
    Card(r"A40", 149.7e12, "NVIDIA A40 data sheet"),
    Card(r"A10G?", 125e12, "NVIDIA A10 data sheet"),
    Card(r"L4", 121e12, "NVIDIA L4 data sheet, half of what it says with sparsity"),
    Card(r"L40S", 362e12, "NVIDIA L40S data sheet, half of what it says with sparsity"),
    Card(r"RTX 6000 Ada Generation", 364.2e12, _ADA),
    Card(r"GeForce RTX 3090", 71e12, "NVIDIA Ampere GA102 white paper, 16 bits with sums in 32"),
    Card(r"GeForce RTX 4090", 165.2e12, _ADA),
    Card(r"GeForce RTX 5090", 209.5e12, "NVIDIA RTX Blackwell white paper, 16 bits with sums in 32"),
    Card(r"(Tesla )?V100.*", 125e12, "NVIDIA V100 data sheet"),
    Card(r"(Tesla )?T4", 65e12, "NVIDIA T4 data sheet"),
)
"""The manufacturer's figures. A name must fit as a whole: a laptop's card of the same number computes less."""


def peak_of(device: str, precision: str) -> float | None:
    """The peak of the card that the driver calls `device`, in operations per second; `None` where it is not known or
    the arithmetic is not in 16 bits.
    """
    if precision not in HALF:
        return None
    name = device.removeprefix("NVIDIA ")
    return next((card.peak for card in CARDS if re.fullmatch(card.name, name)), None)
