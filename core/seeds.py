"""Every random number of a run, as a pure function of (seed, purpose, step, slot).

A slot is a place in the effective batch (or a picture's index), never a micro-step or a rank: accumulation, several
processes and a micro-batch halved by lack of memory all draw the same numbers. Nothing is remembered between draws,
so resuming is arithmetic. No global generator is ever seeded or read.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SEED_BITS = 32
"""Seeds written into `run.toml`, PNGs and events fit into this many bits, as other programs expect."""


def fresh_seed() -> int:
    """A seed from the operating system's randomness, drawn once when a run is made."""
    return secrets.randbits(SEED_BITS)


def derive(seed: int, purpose: str, step: int = 0, slot: int = 0) -> int:
    """A 63-bit seed that depends on all four and on nothing else."""
    key = f"{seed}\0{purpose}\0{step}\0{slot}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1


def picture_seed(seed: int, purpose: str, index: int) -> int:
    """The seed of one generated picture, small enough (32 bits) to be typed into another program."""
    return derive(seed, purpose, 0, index) >> (63 - SEED_BITS)


def generator(
    seed: int, purpose: str, step: int = 0, slot: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator for one draw. On the CPU, the numbers are the same whatever device the run uses."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, purpose, step, slot))
