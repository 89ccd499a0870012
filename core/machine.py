"""What this computer can do, without torch: the GPU from NVML, the rest from psutil and /proc."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

BF16_CAPABILITY = 8
"""First CUDA compute capability (major) with bfloat16 arithmetic: Ampere."""


@dataclass(frozen=True)
class Machine:
    """`device` is what training would use. Memory in bytes; `gpu` is empty where there is none that torch can use."""

    device: str
    gpu: str
    gpu_memory: int
    gpu_free: int
    memory: int
    memory_available: int
    cores: int
    knows_bf16: bool
    gpus: int = 0
    """Cards that torch can use: what is told above is of the first."""


@dataclass(frozen=True)
class Reading:
    """The machine at one moment: shares in percent, memory in bytes, °C, watts. `None` is what cannot be known."""

    gpu_use: float | None = None
    gpu_memory_used: float | None = None
    gpu_memory: float | None = None
    gpu_temperature: float | None = None
    gpu_power: float | None = None
    cpu_use: float | None = None
    memory_used: float | None = None
    memory: float | None = None


def inspect_machine() -> Machine:
    """This computer. Never raises: what cannot be found out counts as absent."""
    memory, available = _memory()
    card = _Card.first() if _torch_knows_cuda() else None
    if card is None:
        return Machine("cpu", "", 0, 0, memory, available, _cores(), _cpu_knows_bf16())
    major = _attempt(lambda: card.nvml.nvmlDeviceGetCudaComputeCapability(card.handle)[0]) or 0
    figures = _attempt(lambda: card.nvml.nvmlDeviceGetMemoryInfo(card.handle))
    return Machine(
        device="cuda",
        gpu=card.name(),
        gpu_memory=int(figures.total) if figures else 0,
        gpu_free=int(figures.free) if figures else 0,
        memory=memory,
        memory_available=available,
        cores=_cores(),
        knows_bf16=major >= BF16_CAPABILITY,
        gpus=_visible_cards(card.nvml, os.environ.get("CUDA_VISIBLE_DEVICES")),
    )


class Gauge:
    """Reads the machine again and again for the monitor. CPU use is the mean since the reading before."""

    def __init__(self) -> None:
        self._card = _Card.first()
        self.read()  # psutil's first figure of CPU use means nothing

    def read(self) -> Reading:
        import psutil

        memory, available = _memory()
        cpu = _attempt(lambda: float(psutil.cpu_percent(interval=None)))
        card = self._card
        if card is None:
            return Reading(cpu_use=cpu, memory_used=float(memory - available), memory=float(memory))
        nvml, handle = card.nvml, card.handle
        figures = _attempt(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        return Reading(
            gpu_use=_attempt(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            gpu_memory_used=float(figures.used) if figures else None,
            gpu_memory=float(figures.total) if figures else None,
            gpu_temperature=_attempt(lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))),
            gpu_power=_attempt(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000),
            cpu_use=cpu,
            memory_used=float(memory - available),
            memory=float(memory),
        )


@dataclass(frozen=True)
class _Card:
    """The GPU that CUDA calls device 0, as NVML sees it."""

    nvml: Any
    handle: Any

    @classmethod
    def first(cls) -> _Card | None:
        try:
            import pynvml

            pynvml.nvmlInit()
            handle = _visible_handle(pynvml, os.environ.get("CUDA_VISIBLE_DEVICES"))
        except Exception:  # no driver, no card, or a driver that fails: there is no GPU to use
            return None
        return None if handle is None else cls(pynvml, handle)

    def name(self) -> str:
        name = _attempt(lambda: self.nvml.nvmlDeviceGetName(self.handle)) or "NVIDIA GPU"
        return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _visible_handle(nvml: Any, visible: str | None) -> Any:
    """NVML's handle of the first device that CUDA_VISIBLE_DEVICES lets programs see, or `None`."""
    if visible is None:
        return nvml.nvmlDeviceGetHandleByIndex(0)
    first = visible.split(",")[0].strip()
    if first.startswith(("GPU-", "MIG-")):
        return nvml.nvmlDeviceGetHandleByUUID(first)
    return nvml.nvmlDeviceGetHandleByIndex(int(first)) if first.isdigit() else None


def _visible_cards(nvml: Any, visible: str | None) -> int:
    """How many devices CUDA_VISIBLE_DEVICES lets programs see: all before the first that does not exist."""
    if visible is None:
        return _attempt(lambda: int(nvml.nvmlDeviceGetCount())) or 1
    names = [name.strip() for name in visible.split(",")]
    known = [_attempt(lambda name=name: _visible_handle(nvml, name)) is not None for name in names]  # type: ignore[misc]
    return known.index(False) if False in known else len(known)


def _torch_knows_cuda() -> bool:
    """Whether the installed torch was built for CUDA, read from its version file: importing it takes seconds."""
    try:
        found = importlib.util.find_spec("torch")
        if found is None or found.origin is None:
            return False
        text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return re.search(r"^cuda\b[^=\n]*=\s*['\"]", text, re.MULTILINE) is not None


def _memory() -> tuple[int, int]:
    """Total and available bytes; within a container, what the container may use."""
    import psutil

    figures = psutil.virtual_memory()
    total, available = int(figures.total), int(figures.available)
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if limit is not None and used is not None and limit < total:
        return limit, max(0, min(available, limit - used))
    return total, available


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_knows_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"\b(avx512_bf16|amx_bf16)\b", flags) is not None


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _attempt(read: Callable[[], T]) -> T | None:
    """A figure that some cards and drivers do not tell is `None`."""
    try:
        return read()
    except Exception:
        return None
