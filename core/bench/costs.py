"""Where one step's time goes beside matrix products, from torch's profiler."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from core.bench.results import Cost

PRODUCTS = re.compile(r"mm\b|conv(?!ert)|gemm|(?<!bi)(?<!tri)linear|attention|matmul|einsum")
"""What the names of matrix products, convolutions and attention hold, in torch and in compiled code."""
SHOWN = 12


def costs_of(step: Callable[[], object], device: torch.device) -> tuple[Cost, ...]:
    """The largest costs of `step` that are no matrix products, the largest first, and all products in one line."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities) as profiled:
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return ranked(profiled.key_averages(), on_gpu=device.type == "cuda")


def ranked(averages: Any, *, on_gpu: bool) -> tuple[Cost, ...]:
    """Of a profiler's `key_averages()`. On a GPU the time of an operation is that of the kernels it started."""
    spent: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for entry in averages:
        if entry.device_type.name != "CPU":  # a kernel: counted with the operation that started it
            continue
        microseconds = entry.self_device_time_total if on_gpu else entry.self_cpu_time_total
        name = "matrix products" if is_product(entry.key) else entry.key.removeprefix("aten::")
        spent[name] += microseconds / 1000
        counts[name] += entry.count
    whole = sum(spent.values()) or 1.0
    largest = sorted(spent, key=lambda name: -spent[name])[:SHOWN]
    return tuple(Cost(name, spent[name], spent[name] / whole, counts[name]) for name in largest if spent[name] > 0)


def is_product(name: str) -> bool:
    """Whether an operation is a matrix product, a convolution or attention."""
    return PRODUCTS.search(name.lower()) is not None
