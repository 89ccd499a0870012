"""What this computer can do, without torch: the GPU from NVML, the rest from psutil and /proc."""

from __future__ import annotations

import importlib.util
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

VISIBLE = "CUDA_VISIBLE_DEVICES"

BF16_CAPABILITY = 8
"""First CUDA compute capability (major) with bfloat16 arithmetic: Ampere."""


NEARLY_AS_FREE = 0.9
"""A card with this share of the freest one's free memory is as good."""


@dataclass(frozen=True)
class Card:
    """A GPU that torch can use. `id` is what CUDA_VISIBLE_DEVICES calls it. Memory in bytes."""

    id: str
    name: str
    memory: int
    free: int
    knows_bf16: bool = True


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
    cards: tuple[Card, ...] = ()
    """Each of them, in CUDA's order."""

    def using(self, ids: Sequence[str]) -> Machine:
        """This computer as it is for who sees these of its cards alone: memory is that of the fullest."""
        chosen = [card for card in self.cards if card.id in ids]
        if not chosen:
            return self
        return replace(
            self, gpu=chosen[0].name, gpu_memory=min(card.memory for card in chosen),
            gpu_free=min(card.free for card in chosen), knows_bf16=all(card.knows_bf16 for card in chosen),
            gpus=len(chosen), cards=tuple(chosen),
        )  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """The machine at one moment: shares in percent, memory in bytes, °C, watts. `None` is what cannot be known; of the
    CPU also what is not known yet.
    """

    gpu_use: float | None = None
    gpu_memory_used: float | None = None
    gpu_memory: float | None = None
    gpu_temperature: float | None = None
    gpu_power: float | None = None
    cpu_use: float | None = None
    memory_used: float | None = None
    memory: float | None = None


def groups_of(cards: Sequence[Card]) -> list[tuple[Card, ...]]:
    """What a run can be given: each card alone, then the two, three, … that have the most free memory. The first is
    what is best for a run on one card: the first of those that are nearly as free as the freest.
    """
    most = max((card.free for card in cards), default=0)
    alone = sorted(cards, key=lambda card: card.free < NEARLY_AS_FREE * most)
    freest = sorted(cards, key=lambda card: -card.free)
    together = [set(freest[:count]) for count in range(2, len(cards) + 1)]
    return [*((card,) for card in alone), *(tuple(card for card in cards if card in few) for few in together)]


@dataclass(frozen=True)
class _Chosen:
    """The cards that this process has chosen for itself, and what it was started with."""

    ids: tuple[str, ...]
    before: str | None


_chosen: _Chosen | None = None


def choose_cards(ids: Sequence[str]) -> None:
    """Let this process see these cards alone, or with none those that it was started with. It works until CUDA has
    begun in it; who starts another process gives that one `environment_at_start`.
    """
    global _chosen
    before = _visible_at_start()
    _chosen = _Chosen(tuple(ids), before) if ids else None
    if ids:
        os.environ[VISIBLE] = ",".join(ids)
    elif before is None:
        os.environ.pop(VISIBLE, None)
    else:
        os.environ[VISIBLE] = before


def chosen_cards() -> tuple[str, ...]:
    """Those that this process has chosen for itself; empty where it sees what it was started with."""
    return _chosen.ids if _chosen is not None else ()


def environment_at_start() -> dict[str, str]:
    """The variables for another process, whatever cards this one has chosen for itself."""
    before = _visible_at_start()
    return {name: value for name, value in os.environ.items() if name != VISIBLE} | (
        {} if before is None else {VISIBLE: before}
    )


def _visible_at_start() -> str | None:
    return _chosen.before if _chosen is not None else os.environ.get(VISIBLE)


def inspect_machine(*, all_cards: bool = False) -> Machine:
    """This computer, with the cards that this process sees; with `all_cards` those that it could have chosen from.
    Never raises: what cannot be found out counts as absent.
    """
    memory, available = _memory()
    visible = _visible_at_start() if all_cards else os.environ.get(VISIBLE)
    card = _Card.first(visible) if _torch_knows_cuda() else None
    if card is None:
        return Machine("cpu", "", 0, 0, memory, available, _cores(), _cpu_knows_bf16())
    cards = tuple(_described(_Card(card.nvml, handle), name) for name, handle in _visible_handles(card.nvml, visible))
    first = cards[0] if cards else _described(card, "0")
    return Machine(
        device="cuda",
        gpu=first.name,
        gpu_memory=first.memory,
        gpu_free=first.free,
        memory=memory,
        memory_available=available,
        cores=_cores(),
        knows_bf16=first.knows_bf16,
        gpus=max(1, len(cards)),
        cards=cards,
    )


def is_out_of_memory(error: Exception) -> bool:
    """Python's, torch's on CUDA, and torch's on the CPU, which is a plain RuntimeError. Needs no torch."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


CPU_SECONDS = 0.5
"""A mean over less time says nothing: psutil itself asks for 0.1 s."""


class Gauge:
    """Reads the machine again and again for the monitor. CPU use is the mean since it was measured before; the first
    figure takes `CPU_SECONDS`.
    """

    def __init__(self) -> None:
        self._card = _Card.first(os.environ.get(VISIBLE))
        self._cpu: float | None = None
        self._cpu_since: float | None = None

    def _cpu_use(self) -> float | None:
        import psutil

        now = time.monotonic()
        if self._cpu_since is None or now - self._cpu_since >= CPU_SECONDS:
            measured = _attempt(lambda: float(psutil.cpu_percent(interval=None)))
            self._cpu = measured if self._cpu_since is not None else None  # the first one means nothing
            self._cpu_since = now
        return self._cpu

    def read(self) -> Reading:
        memory, available = _memory()
        cpu = self._cpu_use()
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
    def first(cls, visible: str | None) -> _Card | None:
        try:
            import pynvml

            pynvml.nvmlInit()
            handle = _visible_handle(pynvml, visible)
        except Exception:  # no driver, no card, or a driver that fails: there is no GPU to use
            return None
        return None if handle is None else cls(pynvml, handle)

    def name(self) -> str:
        return _text(_attempt(lambda: self.nvml.nvmlDeviceGetName(self.handle)) or "NVIDIA GPU")


def _described(card: _Card, name: str) -> Card:
    figures = _attempt(lambda: card.nvml.nvmlDeviceGetMemoryInfo(card.handle))
    major = _attempt(lambda: card.nvml.nvmlDeviceGetCudaComputeCapability(card.handle)[0]) or 0
    return Card(name, card.name(), int(figures.total) if figures else 0, int(figures.free) if figures else 0,
                major >= BF16_CAPABILITY)  # fmt: skip


def _visible_handle(nvml: Any, visible: str | None) -> Any:
    """NVML's handle of the first device that CUDA_VISIBLE_DEVICES lets programs see, or `None`."""
    if visible is None:
        return nvml.nvmlDeviceGetHandleByIndex(0)
    first = visible.split(",")[0].strip()
    if first.startswith(("GPU-", "MIG-")):
        return nvml.nvmlDeviceGetHandleByUUID(first)
    return nvml.nvmlDeviceGetHandleByIndex(int(first)) if first.isdigit() else None


def _visible_handles(nvml: Any, visible: str | None) -> list[tuple[str, Any]]:
    """Name and handle of each device that CUDA_VISIBLE_DEVICES lets programs see: all before the first that does not
    exist. Where it says nothing, a card's name is its UUID: CUDA may count cards in another order than NVML.
    """
    found: list[tuple[str, Any]] = []
    if visible is None:
        for number in range(_attempt(lambda: int(nvml.nvmlDeviceGetCount())) or 1):
            handle = _attempt(lambda number=number: nvml.nvmlDeviceGetHandleByIndex(number))  # type: ignore[misc]
            if handle is not None:
                uuid = _attempt(lambda handle=handle: nvml.nvmlDeviceGetUUID(handle))  # type: ignore[misc]
                found.append((_text(uuid) if uuid else str(number), handle))
        return found
    for name in (name.strip() for name in visible.split(",")):
        handle = _attempt(lambda name=name: _visible_handle(nvml, name))  # type: ignore[misc]
        if handle is None:
            break
        found.append((name, handle))
    return found


def _text(told: str | bytes) -> str:
    return told.decode(errors="replace") if isinstance(told, bytes) else str(told)


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
