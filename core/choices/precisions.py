"""Arithmetic of the forward pass, and what trained weights are kept in."""

from __future__ import annotations

PRECISIONS: dict[str, str] = {
    "bf16": "bfloat16: fast, needs no loss scaling. The choice where the device knows it.",
    "fp16": "float16 with loss scaling: for GPUs older than Ampere.",
    "no": "float32: exact, slow, twice the memory for activations.",
}


WEIGHTS: dict[str, str] = {
    "fp32": "The full precision. The choice where they fit.",
    "bf16": "Half the memory, rounded at random so that small updates are not lost.",
}


def settle(asked: str, device: str, knows_bf16: bool, weights: str = "fp32") -> str:
    """What `auto` becomes: bf16 where the device supports it or weights are kept in it, else fp16 on CUDA, else no."""
    if asked != "auto":
        return asked
    if knows_bf16 or weights == "bf16":
        return "bf16"
    return "fp16" if device.startswith("cuda") else "no"
