"""The device a run trains on: choosing it, what `auto` becomes there, and what it is using."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from core.choices import optimizers, precisions
from core.config.options import RunConfig
from core.machine import inspect_machine

LIBRARIES = ("dbtui", "torch", "diffusers", "transformers", "safetensors")


@dataclass(frozen=True)
class Settled:
    """What every `auto` became."""

    device: torch.device
    precision: str
    optimizer: str
    size: int
    threads: int

    @property
    def name(self) -> str:
        """The device as people know it."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"


def settle(config: RunConfig, native_resolution: int, threads: int | None) -> Settled:
    """`native_resolution` is the source's own, in px; `threads` those of the run's first life, else what is asked for,
    else torch's choice.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    resolution = config.model.resolution
    return Settled(
        device,
        precisions.settle(config.performance.mixed_precision, device.type, inspect_machine().knows_bf16),
        optimizers.settle(config.performance.optimizer, device.type),
        native_resolution if resolution == "auto" else resolution,
        threads or config.performance.threads or torch.get_num_threads(),
    )


def versions() -> dict[str, str]:
    """Those of this program and of what its results depend on."""
    return {library: version(library) for library in LIBRARIES}


def use_threads(count: int) -> None:
    """Compute with this many CPU threads in the calling thread: sums round differently with another number.

    OpenMP keeps the number for each thread apart, so it has to be set in the thread that trains.
    """
    torch.set_num_threads(count)


def peak_memory_bytes(device: torch.device) -> int:
    """The most reserved on a GPU since the last call; on a CPU what the process has in memory now."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_reserved(device)
        torch.cuda.reset_peak_memory_stats(device)
        return peak
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
