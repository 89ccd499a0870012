"""What happens when the device's memory is not enough, made by functions that raise what torch would."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config.options import RunConfig
from core.data.batches import Slot
from core.events import Done, Event, Sample, Step, Validation, Warned
from core.families.model import Model
from core.sampling import previews
from core.texts import UserError
from core.training.checkpoints import list_checkpoints, read_state
from core.training.optimization import Optimization
from core.training.passes import Pass, Portion
from tests.training.runs import final_weights, first_gradients, quick_config, ready_trainer, run_to_end

ON_THE_CPU = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


def steps_of(events: list[Event]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


def codes_of(events: list[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Warned)]


def room_for(monkeypatch: pytest.MonkeyPatch, images: int) -> None:
    """The networks have room for so many pictures at a time while they train."""
    original = Model.denoise

    def denoise(self: Model, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        if torch.is_grad_enabled() and len(x) > images:
            raise RuntimeError(ON_THE_CPU)
        return original(self, x, *rest)

    monkeypatch.setattr(Model, "denoise", denoise)


def with_class(source: Path, pictures: Path, **changes: Any) -> RunConfig:
    return quick_config(source, pictures, concepts__0__prior__images_per_instance=1, **changes)


def test_passes_hold_every_picture_once_and_pairs_stay_together_until_they_do_not_fit() -> None:
    slots = [Slot(index, 0, index, index if index != 1 else None) for index in range(3)]
    assert [(len(p.instances), len(p.priors)) for p in Portion(2).passes(slots)] == [(2, 1), (1, 1)]
    assert Portion(1, split_pairs=True).passes(slots) == [
        Pass((slots[0],), ()), Pass((), (slots[0],)), Pass((slots[1],), ()), Pass((slots[2],), ()),
        Pass((), (slots[2],)),
    ]  # fmt: skip


def test_portions_halve_down_to_a_pair_and_then_to_a_picture() -> None:
    seen, portion = [], Portion(5)
    while portion is not None:
        seen.append((portion.slots, portion.split_pairs))
        portion = portion.halved(pairs=True)  # type: ignore[assignment]
    assert seen == [(5, False), (3, False), (2, False), (1, False), (1, True)]
    assert Portion(1).halved(pairs=False) is None


@pytest.mark.parametrize(("images", "warnings"), [(4, 1), (2, 2), (1, 3)])
def test_a_lack_of_memory_makes_more_passes_and_the_same_update(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, images: int, warnings: int
) -> None:
    config = with_class(tiny_sd1, pictures, batch__size=4, intervals__max_steps=1)
    trainer = ready_trainer(config, tmp_path / "enough")
    whole, expected = first_gradients(trainer), [p.grad for p in trainer._model.unet.parameters()]
    short = ready_trainer(config, tmp_path / "short")
    room_for(monkeypatch, images)
    told = []
    while (figures := short._gradients.if_they_fit(0, short._prepared.batches.step(0), 0.75)) is None:
        told.append(short._gradients.halve().code)
    assert told == ["training.smaller-batches"] * warnings
    assert (figures.instance, figures.prior) == pytest.approx((whole.instance, whole.prior), rel=1e-5)
    for ours, theirs in zip((p.grad for p in short._model.unet.parameters()), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_run_that_was_cut_into_single_pictures_resumes_so_and_trains_the_same(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_class(tiny_sd1, pictures, intervals__save_every_steps=4)
    expected = steps_of(run_to_end(config, tmp_path / "enough"))
    room_for(monkeypatch, 1)
    events = run_to_end(config, tmp_path / "short")
    assert codes_of(events) == ["training.smaller-batches"]
    assert [s.loss for s in steps_of(events)] == pytest.approx([s.loss for s in expected], rel=1e-4)
    newest = list_checkpoints(tmp_path / "short" / "checkpoints")[-1][1]
    whole = final_weights(tmp_path / "short")
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    state = read_state(list_checkpoints(tmp_path / "short" / "checkpoints")[-1][1])
    assert (state.step, state.micro_batch, state.split_pairs) == (4, 1, True)
    assert not codes_of(run_to_end(config, tmp_path / "short", resume=True)), "it knows already"
    assert final_weights(tmp_path / "short") == whole


@pytest.mark.parametrize("class_pictures", [0, 1])
def test_one_picture_that_does_not_fit_stops_the_run_with_advice(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, class_pictures: int
) -> None:
    room_for(monkeypatch, 0)
    config = quick_config(tiny_sd1, pictures, concepts__0__prior__images_per_instance=class_pictures)
    with pytest.raises(UserError, match="gradient_checkpointing"):
        run_to_end(config, tmp_path / "run")
    assert not list_checkpoints(tmp_path / "run" / "checkpoints")


def test_what_filled_the_memory_is_let_go_before_it_is_emptied(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def too_large(_: Any, x0: torch.Tensor, *__: torch.Tensor) -> torch.Tensor:
        activation = x0.clone()
        held.append(weakref.ref(activation))
        raise RuntimeError(ON_THE_CPU)

    trainer = ready_trainer(quick_config(tiny_sd1, pictures, batch__size=2), tmp_path / "run")
    monkeypatch.setattr("core.training.gradients.add_noise", too_large)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(held[-1]() is not None))
    assert isinstance(next(trainer._train_step()), Warned)
    assert alive == [False]


def test_an_optimizer_that_finds_no_memory_stops_the_run_and_nothing_is_saved(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: Any) -> None:
        raise RuntimeError(ON_THE_CPU)

    monkeypatch.setattr(Optimization, "update", no_room)
    with pytest.raises(UserError, match="adamw_8bit") as refused:
        run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run")
    assert refused.value.code == "training.no-room-for-the-optimizer"
    assert not list_checkpoints(tmp_path / "run" / "checkpoints")


def test_room_is_made_before_the_optimizer_asks_for_its_own_and_never_again(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = ready_trainer(quick_config(tiny_sd1, pictures), tmp_path / "run")
    trainer._clock = 0.0
    calls: list[str] = []
    optimizer = trainer._optimization.optimizer
    update: Callable[..., Any] = optimizer.step
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("emptied"))
    monkeypatch.setattr(optimizer, "step", lambda: [calls.append("updated"), update()])
    list(trainer._train_step())
    list(trainer._train_step())
    assert calls == ["emptied", "updated", "updated"]


@pytest.mark.parametrize(("room", "measured"), [(1, 2), (0, 0)])
def test_validation_takes_one_picture_at_a_time_where_memory_is_short_or_is_skipped(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, room: int, measured: int
) -> None:
    original = Model.denoise

    def denoise(self: Model, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        if not torch.is_grad_enabled() and len(x) > room:
            raise RuntimeError(ON_THE_CPU)
        return original(self, x, *rest)

    monkeypatch.setattr(Model, "denoise", denoise)
    config = quick_config(tiny_sd1, pictures, batch__size=2, intervals__validate_every_steps=4)
    events = run_to_end(config, tmp_path / "run")
    assert len([event for event in events if isinstance(event, Validation)]) == measured
    assert codes_of(events) == ["validation.skipped"] * (2 - measured)
    assert isinstance(events[-1], Done)


def test_a_preview_that_does_not_fit_is_skipped_and_training_goes_on_the_same(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__sample_every_epochs=1)
    run_to_end(config, tmp_path / "enough")

    def no_room(*_: Any, **__: Any) -> Any:
        raise RuntimeError(ON_THE_CPU)

    monkeypatch.setattr(previews, "denoise", no_room)
    events = run_to_end(config, tmp_path / "short")
    assert codes_of(events) == ["sample.skipped"] * 2
    assert not [event for event in events if isinstance(event, Sample)]
    assert final_weights(tmp_path / "short") == final_weights(tmp_path / "enough")
