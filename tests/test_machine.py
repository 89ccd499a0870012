"""What the computer can do is told without torch and without ever failing."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

from core import machine
from core.machine import Card, Gauge, groups_of, inspect_machine


class Nvml(types.ModuleType):
    """Two cards; what a test sets to an exception is what the driver refuses."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.capability: tuple[int, int] | Exception = (8, 6)
        self.starts = True
        self.free = {"first": 20 << 30, "second": 3 << 30}

    def nvmlInit(self) -> None:
        if not self.starts:
            raise RuntimeError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetUUID(self, handle: str) -> bytes:
        return f"GPU-{handle}".encode()

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return ["first", "second"][index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlDeviceGetName(self, handle: str) -> str:
        return f"GPU {handle}"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(total=24 << 30, free=self.free.get(handle, 20 << 30), used=4 << 30)

    def nvmlDeviceGetCudaComputeCapability(self, handle: str) -> tuple[int, int]:
        if isinstance(self.capability, Exception):
            raise self.capability
        return self.capability

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(gpu=77)

    def nvmlDeviceGetTemperature(self, handle: str, kind: int) -> int:
        return 61

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        raise RuntimeError("Not Supported")


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    fake = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(machine, "_torch_knows_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def test_a_card_is_described(nvml: Nvml) -> None:
    found = inspect_machine()
    assert (found.device, found.gpu, found.gpu_memory, found.gpu_free) == ("cuda", "GPU first", 24 << 30, 20 << 30)
    assert found.knows_bf16


def test_bfloat16_begins_with_ampere(nvml: Nvml) -> None:
    nvml.capability = (7, 5)
    assert not inspect_machine().knows_bf16
    nvml.capability = RuntimeError("Not Supported")
    assert not inspect_machine().knows_bf16


@pytest.mark.parametrize(
    ("visible", "gpu"), [("1", "GPU second"), ("1,0", "GPU second"), ("GPU-abc", "GPU GPU-abc"), ("", ""), ("-1", "")]
)
def test_the_card_is_the_one_that_cuda_would_use(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch, visible: str, gpu: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = inspect_machine()
    assert found.gpu == gpu
    assert found.device == ("cuda" if gpu else "cpu")


def test_every_card_is_listed_by_what_cuda_calls_it(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    found = inspect_machine()
    assert [(card.id, card.name, card.free) for card in found.cards] == [
        ("GPU-first", "GPU first", 20 << 30), ("GPU-second", "GPU second", 3 << 30),
    ]  # fmt: skip
    assert found.gpus == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0,7,1")
    assert [(card.id, card.name) for card in inspect_machine().cards] == [("1", "GPU second"), ("0", "GPU first")]


def test_cards_that_this_program_chose_for_itself_hide_no_other_from_who_chooses(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_chosen", None)
    every = inspect_machine()
    machine.choose_cards(["GPU-second"])
    assert inspect_machine().gpu == "GPU GPU-second"
    assert inspect_machine(all_cards=True) == every
    machine.choose_cards([])
    assert inspect_machine() == every


def test_a_machine_of_which_one_card_is_used_tells_that_ones_memory(nvml: Nvml) -> None:
    second = inspect_machine().using(["GPU-second"])
    assert (second.gpu, second.gpu_free, second.gpus) == ("GPU second", 3 << 30, 1)
    both = inspect_machine().using(["GPU-second", "GPU-first"])
    assert (both.gpu, both.gpu_free, both.gpus) == ("GPU first", 3 << 30, 2), "the fullest decides what fits"
    whole = inspect_machine()
    assert whole.using([]) == whole


def test_cards_are_offered_alone_and_together_the_freest_first() -> None:
    full, first, second = (Card(name, name, 24, free) for name, free in (("full", 2), ("first", 23), ("second", 24)))
    offered = [[card.id for card in group] for group in groups_of([full, first, second])]
    assert offered == [["first"], ["second"], ["full"], ["first", "second"], ["full", "first", "second"]]
    assert groups_of([]) == []


def test_a_torch_without_cuda_makes_a_card_useless(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_torch_knows_cuda", lambda: False)
    assert inspect_machine().device == "cpu"


def test_a_driver_that_fails_is_no_card(nvml: Nvml) -> None:
    nvml.starts = False
    assert inspect_machine().device == "cpu"
    assert Gauge().read().gpu_use is None


def test_the_gauge_reads_what_the_card_tells(nvml: Nvml) -> None:
    reading = Gauge().read()
    assert (reading.gpu_use, reading.gpu_memory_used, reading.gpu_temperature) == (77.0, float(4 << 30), 61.0)
    assert reading.gpu_power is None, "a figure that the card refuses does not take the others with it"
    assert reading.memory is not None
    assert 0 < (reading.memory_used or 0) < reading.memory


def test_this_machine_is_described() -> None:
    found = inspect_machine()
    assert found.cores == len(os.sched_getaffinity(0))
    assert 0 < found.memory_available <= found.memory


def test_the_use_of_the_cpu_is_told_once_it_was_measured_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(machine.time, "monotonic", lambda: now)
    gauge = Gauge()
    assert (gauge.read().cpu_use, gauge.read().cpu_use) == (None, None)
    now += machine.CPU_SECONDS
    measured = gauge.read().cpu_use
    assert measured is not None and 0 <= measured <= 100
    now += machine.CPU_SECONDS / 2
    assert gauge.read().cpu_use == measured


def test_whether_torch_knows_cuda_is_what_torch_says() -> None:
    import torch

    assert machine._torch_knows_cuda() == (torch.version.cuda is not None)


def test_a_container_limits_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"/sys/fs/cgroup/memory.max": 1 << 30, "/sys/fs/cgroup/memory.current": 1 << 28}
    monkeypatch.setattr(machine, "_number", limits.get)
    found = inspect_machine()
    assert found.memory == 1 << 30
    assert found.memory_available <= (1 << 30) - (1 << 28)


def test_bfloat16_on_a_cpu_is_read_from_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, knows in (("fpu avx2 avx512_bf16 vnni", True), ("fpu amx_bf16", True), ("fpu avx2 avx512_bf16x", False)):
        monkeypatch.setattr(Path, "read_text", lambda self, flags=flags, **_: f"flags : {flags}\n")
        assert machine._cpu_knows_bf16() is knows
