"""The dry step before training: what it tells, and that it leaves no trace."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

from core.events import Event, Measured, Phase, Step, Warned
from core.families.model import Model
from core.tensors import digest
from core.training import device, rehearsal
from core.training.gradients import Figures, Gradients
from core.training.precision import LossScale
from core.training.trainer import Trainer
from dbtui.monitor.words import measured_in_words
from tests.training.runs import final_weights, quick_config, ready_trainer, run_to_end

CPU = torch.device("cpu")


def of(kind: type[Event], events: Sequence[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_the_dry_step_tells_what_the_largest_pass_takes_and_leaves_no_trace(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick_config(
        tiny_sd1, pictures, batch__size=2, concepts__0__prior__images_per_instance=1, performance__text_encoder_ratio=0
    )
    events = run_to_end(config, tmp_path / "run")
    measured = of(Measured, events)
    assert [(m.pictures, m.width, m.height, m.compiled, m.repeats) for m in measured] == [(4, 32, 32, False, None)]
    unet = sum(parameter.numel() for parameter in ready_trainer(config, tmp_path / "other")._model.unet.parameters())
    assert measured[0].optimizer_bytes == 8 * unet and measured[0].peak_bytes > 4 * unet
    phases = [event.name for event in of(Phase, events)]
    assert phases.index("measuring") < phases.index("training")
    monkeypatch.setattr(Trainer, "_rehearse", lambda self: iter(()))
    without = run_to_end(config, tmp_path / "without")
    assert [step.loss for step in of(Step, events)] == [step.loss for step in of(Step, without)]
    assert final_weights(tmp_path / "run") == final_weights(tmp_path / "without")


@pytest.mark.parametrize("lora", [False, True])
def test_the_dry_step_touches_no_weight_no_gradient_and_no_random_number(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, lora: bool
) -> None:
    config = quick_config(
        tiny_sd1, pictures, lora__enabled=lora, images__horizontal_flip=True, batch__accumulation=2,
        performance__cache_latents=False,
    )  # fmt: skip
    trainer = ready_trainer(config, tmp_path / "run")

    def state() -> tuple[Any, ...]:
        weights = {name: digest(network.state_dict()) for name, network in trainer._model.networks.items()}
        held = [p.grad is None for network in trainer._model.networks.values() for p in network.parameters()]
        drawn = torch.get_rng_state().tolist(), random.getstate(), numpy.random.get_state()[1].tolist()
        return weights, held, drawn, dict(trainer._optimization.optimizer.state)

    before = state()
    assert [event.kind for event in trainer._rehearse()] == ["phase", "measured"]
    assert state() == before and all(before[1])


def test_the_dry_step_takes_the_largest_pictures(tmp_path: Path, tiny_sd1: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, size in enumerate([(112, 80), (80, 112), (100, 100), (112, 80)]):
        Image.new("RGB", size, (number * 40, 90, 30)).save(folder / f"{number}.png")
    config = quick_config(tiny_sd1, folder, images__buckets=True, model__resolution=96, intervals__epochs=1)
    events = run_to_end(config, tmp_path / "run")
    assert [(measured.width, measured.height) for measured in of(Measured, events)] == [(96, 96)]


def test_a_resumed_run_has_the_optimizers_memory_already(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=2)
    run_to_end(config, tmp_path / "run")
    longer = quick_config(tiny_sd1, pictures, intervals__max_steps=3)
    assert [m.optimizer_bytes for m in of(Measured, run_to_end(longer, tmp_path / "run", resume=True))] == [0]


def test_passes_are_halved_before_the_first_step_where_the_optimizer_would_not_fit_beside_them(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = iter([900, 500, 300])
    monkeypatch.setattr(rehearsal.device, "peak_allocated_bytes", lambda _: next(peaks))
    monkeypatch.setattr(rehearsal.device, "room_bytes", lambda _: 1000)
    monkeypatch.setattr("core.training.optimization.Optimization.state_bytes_to_come", 600)
    events = run_to_end(quick_config(tiny_sd1, pictures, batch__size=4, intervals__max_steps=1), tmp_path / "run")
    assert [event.code for event in of(Warned, events)] == ["training.smaller-batches"] * 2
    assert [(m.pictures, m.peak_bytes, m.optimizer_bytes) for m in of(Measured, events)] == [(1, 300, 600)]


def test_a_dry_step_that_runs_out_of_memory_halves_too(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Model.denoise

    def room_for_two(self: Model, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        if len(x) > 2:
            raise torch.OutOfMemoryError("made by the test")
        return original(self, x, *rest)

    monkeypatch.setattr(Model, "denoise", room_for_two)
    events = run_to_end(quick_config(tiny_sd1, pictures, batch__size=4, intervals__max_steps=1), tmp_path / "run")
    assert [event.kind for event in events if isinstance(event, Warned | Measured | Step)] == [
        "warning", "measured", "step",
    ]  # fmt: skip


def test_the_peak_is_measured_anew_and_not_below_what_was_held() -> None:
    assert device.forget_peak(CPU)
    before = device.peak_allocated_bytes(CPU)
    held = torch.ones(30_000_000)
    assert device.peak_allocated_bytes(CPU) - before > 0.9 * held.nbytes


def test_a_system_that_does_not_tell_its_memory_is_said_to_be_one(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *rest: Any) -> int:
        raise PermissionError(path)

    monkeypatch.setattr(device, "Path", type("Closed", (Path().__class__,), {"write_text": refused}))
    assert not device.forget_peak(CPU)
    measured = of(Measured, run_to_end(quick_config(tiny_sd1, pictures, intervals__max_steps=1), tmp_path / "run"))
    assert [event.peak_bytes for event in measured] == [None]
    assert "does not tell" in measured_in_words(measured[0])


@pytest.mark.parametrize(
    ("instances", "norms", "repeats"),
    [((0.5, 0.5), (2.0, 2.0), True), ((0.5, 0.5), (math.nan, math.nan), True), ((0.5, 0.5), (2.0, 2.1), False),
     ((0.5, 0.6), (2.0, 2.0), False)],
    ids=["same", "no-number", "other-norm", "other-loss"],
)  # fmt: skip
def test_bits_that_repeat_are_told_by_a_loss_that_is_not_scaled(
    monkeypatch: pytest.MonkeyPatch, instances: tuple[float, float], norms: tuple[float, float], repeats: bool
) -> None:
    gradients = Gradients.__new__(Gradients)
    gradients._scale, gradients._steps = LossScale.for_precision("fp16"), 1
    gradients._optimization = SimpleNamespace(discard_gradients=lambda: None)  # type: ignore[assignment]
    scales: list[float] = []

    def of(self: Gradients, *_: Any) -> Figures:
        scales.append(self._scale.scale)
        return Figures(instances[len(scales) - 1], 0.0, norms[len(scales) - 1])

    monkeypatch.setattr(Gradients, "of", of)
    assert gradients.repeat((), 1.0) is repeats
    assert scales == [1.0, 1.0]
    assert gradients._scale.scale == LossScale.START
