"""Arithmetic of the forward pass. Trained weights stay fp32 whatever is chosen."""

from __future__ import annotations

PRECISIONS: dict[str, str] = {
    "bf16": "bfloat16: fast, needs no loss scaling. The choice where the device knows it.",
    "fp16": "float16 with loss scaling: for GPUs older than Ampere.",
    "no": "float32: exact, slow, twice the memory for activations.",
}


def settle(asked: str, device: str, knows_bf16: bool) -> str:
    """What `auto` becomes: bf16 where the device supports it, else fp16 on CUDA, else no."""
    if asked != "auto":
        return asked
    if knows_bf16:
        return "bf16"
    return "fp16" if device.startswith("cuda") else "no"
