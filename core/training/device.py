"""The device a run trains on: choosing it, what `auto` becomes there, and what it is using."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from core.choices import optimizers, precisions
from core.config.options import RunConfig
from core.machine import inspect_machine, is_out_of_memory
from core.place import ALONE, Place
from core.planning.memory import weights_of
from core.training import attention
from core.training.precision import DTYPES

LIBRARIES = ("dbtui", "torch", "diffusers", "transformers", "safetensors", "peft", "bitsandbytes", "prodigyopt")
GIVING_WAY = 10
"""Niceness: a tenth of the processor's time where others want all of it."""


@dataclass(frozen=True)
class Settled:
    """What every `auto` became."""

    device: torch.device
    precision: str
    optimizer: str
    size: int
    threads: int
    attention: str

    def values(self) -> dict[str, Any]:
        """All of it but the device, as plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "device"}

    @property
    def name(self) -> str:
        """The device as people know it."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"


@contextlib.contextmanager
def lack_of_memory() -> Iterator[None]:
    """Lack of memory is `torch.OutOfMemoryError` from here on: on the CPU torch raises a plain `RuntimeError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, torch.OutOfMemoryError) or not is_out_of_memory(error):
            raise
        raise torch.OutOfMemoryError(str(error)) from error


def device_of(place: Place) -> torch.device:
    """The card of this process among those on its computer, else the CPU."""
    return torch.device("cuda", place.local_rank) if torch.cuda.is_available() else torch.device("cpu")


def settle(config: RunConfig, native_resolution: int, threads: int | None, place: Place = ALONE) -> Settled:
    """`native_resolution` is the source's own, in px; `threads` those of the run's first life, else what is asked for,
    else this process's part of torch's choice.

    Raises `UserError` for an attention that does not work here.
    """
    device = device_of(place)
    resolution, chosen = config.model.resolution, config.performance
    precision = precisions.settle(chosen.mixed_precision, device.type, inspect_machine().knows_bf16, weights_of(config))
    return Settled(
        device,
        precision,
        optimizers.settle(chosen.optimizer, device.type),
        native_resolution if resolution == "auto" else resolution,
        threads or chosen.threads or max(1, torch.get_num_threads() // place.local_count),
        attention.settle(chosen.attention, device, DTYPES[precision], deterministic=chosen.deterministic),
    )


@contextlib.contextmanager
def repeating(wanted: bool, device: torch.device) -> Iterator[None]:
    """Where it is wanted, kernels on a GPU give the same bits each time, until this is left. A CPU's always do."""
    if not wanted or device.type != "cuda":
        yield
        return
    before, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats its sums only with fixed workspaces
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


def versions() -> dict[str, str]:
    """Those of this program and of what its results depend on, where it is installed."""
    found = {}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def use_threads(count: int) -> None:
    """Compute with this many CPU threads in the calling thread: sums round differently with another number.

    OpenMP keeps the number for each thread apart, so it has to be set in the thread that trains.
    """
    torch.set_num_threads(count)


def give_way() -> None:
    """Let the other threads of this process have the processor first, from now on, if the calling thread is not the
    main one: where a run trains on the processor that draws an app, too, keys are answered while it does. The threads
    that OpenMP starts for the calling one inherit it. Only Linux knows a niceness of threads: setpriority(2), "Notes".
    """
    if sys.platform == "linux" and threading.current_thread() is not threading.main_thread():
        thread = threading.get_native_id()
        if os.getpriority(os.PRIO_PROCESS, thread) < GIVING_WAY:  # only root may take niceness back
            os.setpriority(os.PRIO_PROCESS, thread, GIVING_WAY)


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


def forget_peak(device: torch.device) -> bool:
    """From here on `peak_allocated_bytes` counts anew; what is free goes back to the system first. Returns whether it
    can be told here: a CPU's needs Linux's /proc.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return True
    with contextlib.suppress(AttributeError, OSError):  # glibc alone keeps hundreds of MB back, and can be asked
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_allocated_bytes(device: torch.device) -> int:
    """The most that tensors took on a GPU since `forget_peak`; on a CPU the most the process had in memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def room_bytes(device: torch.device) -> int | None:
    """What this process may have on a GPU: what it holds and what is free. `None` on a CPU, which refuses nothing."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return int(free) + torch.cuda.memory_reserved(device)
