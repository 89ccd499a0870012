"""Trap 21: a loss, gradient or weight that is no number is seen before it does harm, and never saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from core.data.batches import Slot
from core.events import Checkpoint, Event, Step
from core.tensors import read_tensors
from core.texts import UserError
from core.training import gradients as loop
from core.training.checkpoints import list_checkpoints, read_state
from core.training.optimization import Optimization
from core.training.trainer import Trainer
from tests.training.runs import no_commands, quick_config, run_to_end


def steps_of(events: Sequence[Event]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


def bad_losses(monkeypatch: pytest.MonkeyPatch, first: int, last: int = 10**6) -> None:
    """The losses of the passes from `first` to `last` are no numbers."""
    original, calls = loop.squared_errors, iter(range(10**6))

    def errors(*args: Any) -> torch.Tensor:
        found = original(*args)
        return found * torch.nan if first <= next(calls) <= last else found

    monkeypatch.setattr(loop, "squared_errors", errors)
    monkeypatch.setattr(Trainer, "_rehearse", lambda self: iter(()))


def run_until_it_fails(config: Any, folder: Path) -> tuple[list[Event], UserError, dict[str, torch.Tensor]]:
    """The events, the error, and the UNet as it was after the last step that was not skipped."""
    folder.mkdir()
    trainer = Trainer(config, folder, resume=False, poll=no_commands)
    weights: dict[str, torch.Tensor] = {}
    events: list[Event] = []
    with pytest.raises(UserError) as refused:
        for event in trainer.run():
            events.append(event)
            if isinstance(event, Step) and not event.skipped:
                weights = {name: tensor.clone() for name, tensor in trainer._model.unet.state_dict().items()}
    assert all(torch.equal(tensor, weights[name]) for name, tensor in trainer._model.unet.state_dict().items())
    return events, refused.value, weights


def test_figures_that_are_no_numbers_leave_the_weights_alone_and_stop_the_run(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_losses(monkeypatch, 2)
    config = quick_config(tiny_sd1, pictures, concepts__0__prior__images_per_instance=1)
    events, error, _ = run_until_it_fails(config, tmp_path / "run")
    assert error.code == "training.not-finite" and "Half the learning rate" in error.message.advice
    assert [event.skipped for event in steps_of(events)] == [False, False, True, True]
    named = [path.name for folder in (pictures, tmp_path / "run" / "class" / "dog") for path in folder.glob("*.png")]
    assert sum(name in str(error) for name in named) == 2, "the step's own picture and its class picture"


def test_a_run_that_stops_so_is_saved_as_it_was_after_its_last_good_step(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_losses(monkeypatch, 2)
    events, _, weights = run_until_it_fails(quick_config(tiny_sd1, pictures), tmp_path / "run")
    assert isinstance(events[-1], Checkpoint)
    newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1][1]
    saved = read_tensors(newest / "unet.safetensors")
    assert saved.keys() == weights.keys() and all(torch.equal(saved[name], weights[name]) for name in weights)
    assert read_state(newest).updates == 2
    monkeypatch.undo()
    assert steps_of(run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run", resume=True))[-1].step == 8


def test_a_run_without_a_single_good_step_saves_nothing(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_losses(monkeypatch, 0)
    with pytest.raises(UserError, match="gave no number"):
        run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run")
    assert not list_checkpoints(tmp_path / "run" / "checkpoints")


def test_one_bad_step_is_skipped_and_counts_for_the_data_but_not_for_the_rate(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_losses(monkeypatch, 1, 1)
    config = quick_config(tiny_sd1, pictures, learning_rate__warmup_steps=8)
    steps = steps_of(run_to_end(config, tmp_path / "run"))
    assert [step.skipped for step in steps] == [False, True] + [False] * 6
    assert [step.rate for step in steps[:4]] == pytest.approx([1e-3 / 8, 2e-3 / 8, 2e-3 / 8, 3e-3 / 8])


def test_skips_that_are_not_in_a_row_do_not_stop_the_run(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = loop.Gradients.if_they_fit

    def every_other(self: loop.Gradients, step: int, slots: Sequence[Slot], weight: float) -> loop.Figures:
        figures = original(self, step, slots, weight)
        assert figures is not None
        return figures if step % 3 == 0 else loop.Figures(figures.instance, figures.prior, float("inf"))

    monkeypatch.setattr(loop.Gradients, "if_they_fit", every_other)
    steps = steps_of(run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run"))
    assert [step.skipped for step in steps] == [False, True, True] * 2 + [False, True]


def spoiling(monkeypatch: pytest.MonkeyPatch, update: int) -> None:
    """That update leaves one weight that is no number."""
    original, calls = Optimization.update, iter(range(100))

    def spoil(self: Optimization, norm: torch.Tensor) -> None:
        original(self, norm)
        if next(calls) == update:
            weight = next(iter(self.names))
            with torch.no_grad():
                weight.view(-1)[0] = torch.inf

    monkeypatch.setattr(Optimization, "update", spoil)


@pytest.mark.parametrize("every", [1, 0])
def test_weights_that_are_no_numbers_are_never_saved(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    spoiling(monkeypatch, 2)
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=every, intervals__max_steps=3)
    with pytest.raises(UserError) as refused:
        run_to_end(config, tmp_path / "run")
    assert refused.value.code == "checkpoint.not-finite" and "conv_in" in str(refused.value)
    assert [step for step, _ in list_checkpoints(tmp_path / "run" / "checkpoints")] == ([1, 2] if every else [])


def test_a_run_whose_weights_broke_says_that_its_losses_are_no_numbers_and_saves_nothing(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiling(monkeypatch, 2)
    with pytest.raises(UserError, match="gave no number"):
        run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run")
    assert not list_checkpoints(tmp_path / "run" / "checkpoints")
