from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from core.data.captions import Wording
from core.events import Sample, Step, Validation
from core.training.checkpoints import list_checkpoints, read_state
from core.training.precision import LossScale
from core.training.trainer import Trainer
from tests.training.asking import steps_of
from tests.training.runs import final_weights, first_gradients, no_commands, quick_config, ready_trainer, run_to_end


@pytest.mark.parametrize(("size", "accumulation"), [(1, 4), (2, 2), (3, 4)])
def test_accumulation_makes_the_update_of_the_larger_batch(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, size: int, accumulation: int
) -> None:
    gradients, figures = [], []
    for name, shape in (("large", (size * accumulation, 1)), ("small", (size, accumulation))):
        config = quick_config(
            tiny_sd1,
            pictures,
            batch__size=shape[0],
            batch__accumulation=shape[1],
            batch__incomplete="wrap",
            concepts__0__prior__images_per_instance=1,
        )
        trainer = ready_trainer(config, tmp_path / name)
        figures.append(first_gradients(trainer))
        networks = trainer._model.networks
        gradients.append([p.grad for part in ("unet", "text_encoder") for p in networks[part].parameters()])
    assert astuple(figures[1]) == pytest.approx(astuple(figures[0]), rel=1e-5)
    for large, small in zip(*gradients, strict=True):
        assert large is not None and small is not None
        torch.testing.assert_close(small, large, rtol=1e-4, atol=1e-6)


def test_previews_validation_and_saving_do_not_disturb_training(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "alone")
    busy = quick_config(
        tiny_sd1,
        pictures,
        intervals__sample_every_steps=1,
        intervals__validate_every_steps=1,
        intervals__save_every_steps=1,
    )
    events = run_to_end(busy, tmp_path / "busy")
    assert len([event for event in events if isinstance(event, Sample)]) == 8
    assert final_weights(tmp_path / "busy") == final_weights(tmp_path / "alone")


def test_the_text_encoder_stops_after_its_share_without_a_trace_in_the_unet(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, performance__text_encoder_ratio=0.5)
    (tmp_path / "run").mkdir()
    trainer = Trainer(config, tmp_path / "run", resume=False, poll=no_commands)
    events = trainer.run()
    for event in events:
        if isinstance(event, Step) and event.step == 4:
            break
    encoder = trainer._model.text_encoders["text_encoder"]
    unet = {name: tensor.clone() for name, tensor in trainer._model.unet.state_dict().items()}
    moments = {key: tensor.clone() for key, tensor in trainer._optimization.state()[0].items()}
    assert any(key.startswith("text_encoder/") for key in moments)
    caption = trainer._conditioning.of([Wording(0)]).hidden.detach()

    for name in trainer._model.text_encoders:
        trainer._optimization.drop(name)
    trainer._freeze_text_encoders()

    after = trainer._optimization.state()[0]
    assert all(torch.equal(tensor, unet[name]) for name, tensor in trainer._model.unet.state_dict().items())
    assert {key for key in moments if key.startswith("unet/")} == set(after)
    assert all(torch.equal(tensor, moments[key]) for key, tensor in after.items())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in encoder.parameters())
    assert trainer._optimization.components == ["unet"]
    torch.testing.assert_close(trainer._conditioning.of([Wording(0)]).hidden, caption, rtol=1e-5, atol=1e-5)
    frozen = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    rates = [event.text_encoder_rate for event in events if isinstance(event, Step)]
    assert rates == [None] * 4
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in encoder.state_dict().items())


def test_a_text_encoder_of_ratio_zero_is_never_trained(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    run_to_end(quick_config(tiny_sd1, pictures, performance__text_encoder_ratio=0.0), tmp_path / "run")
    _, newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert not (newest / "text_encoder.safetensors").exists()


def test_gradient_checkpointing_gives_both_networks_the_same_gradients(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    gradients = []
    for checkpointing in (False, True):
        config = quick_config(tiny_sd1, pictures, performance__gradient_checkpointing=checkpointing)
        trainer = ready_trainer(config, tmp_path / str(checkpointing))
        first_gradients(trainer)
        networks = trainer._model.networks
        gradients.append(
            [parameter.grad for name in ("unet", "text_encoder") for parameter in networks[name].parameters()]
        )
    for plain, checkpointed in zip(*gradients, strict=True):
        assert plain is not None and checkpointed is not None
        torch.testing.assert_close(plain, checkpointed)


def test_trained_weights_and_optimizer_are_fp32_under_bf16(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    trainer = ready_trainer(quick_config(tiny_sd1, pictures, performance__mixed_precision="bf16"), tmp_path / "run")
    first_gradients(trainer)
    trainer._optimization.update(trainer._gradients.norm)
    assert {parameter.dtype for parameter in trainer._model.unet.parameters()} == {torch.float32}
    assert {tensor.dtype for tensor in trainer._optimization.state()[0].values()} == {torch.float32}


def test_fp16_has_the_figures_of_fp32(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LossScale, "START", 1024.0)
    figures = []
    for precision in ("no", "fp16"):
        config = quick_config(tiny_sd1, pictures, performance__mixed_precision=precision)
        trainer = ready_trainer(config, tmp_path / precision)
        figures.append(first_gradients(trainer))
    assert astuple(figures[1]) == pytest.approx(astuple(figures[0]), rel=2e-2)


def test_overflows_of_fp16_lower_the_scale_and_do_not_stop_the_run(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LossScale, "START", 2.0**24)
    config = quick_config(tiny_sd1, pictures, performance__mixed_precision="fp16", intervals__epochs=4)
    steps = steps_of(run_to_end(config, tmp_path / "run"))
    first_good = [step.skipped for step in steps].index(False)
    assert first_good > 3, "so many would stop a run whose loss is no number"


def test_good_updates_of_fp16_raise_the_scale_and_it_is_saved(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LossScale, "START", 8.0)
    monkeypatch.setattr(LossScale, "PATIENCE", 2)
    config = quick_config(tiny_sd1, pictures, performance__mixed_precision="fp16", intervals__max_steps=5)
    run_to_end(config, tmp_path / "run")
    state = read_state(list_checkpoints(tmp_path / "run" / "checkpoints")[-1][1])
    assert (state.loss_scale, state.good_updates) == (32.0, 1)


def test_the_vae_has_no_part_in_a_step(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = ready_trainer(quick_config(tiny_sd1, pictures), tmp_path / "run")
    monkeypatch.setattr(trainer._model.vae, "encode", None)
    monkeypatch.setattr(trainer._model.vae, "decode", None)
    first_gradients(trainer)


class Waits(TorchDispatchMode):
    """Counts the operations that make the host wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.name() in ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero"):
            self.count += 1
        return func(*args, **(kwargs or {}))


def test_a_step_waits_for_the_device_once(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, batch__accumulation=4, concepts__0__prior__images_per_instance=1)
    trainer = ready_trainer(config, tmp_path / "run")
    trainer._clock = 0.0
    with Waits() as waits:
        list(trainer._train_step())
    assert waits.count <= 1


def test_previews_carry_prompt_and_seed_and_change_as_the_model_learns(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__sample_every_epochs=1, concepts__0__sample__count=2)
    samples = [event for event in run_to_end(config, tmp_path / "run") if isinstance(event, Sample)]
    assert [(sample.step, sample.seed) for sample in samples] == [(4, 5), (4, 6), (8, 5), (8, 6)]
    first, later = (Image.open(tmp_path / "run" / samples[place].path) for place in (0, 2))
    assert "a sks dog" in first.info["parameters"] and "Seed: 5" in first.info["parameters"]
    assert first.tobytes() != later.tobytes()


def test_previews_show_the_class_beside_the_subject_and_how_it_was_before_the_first_step(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    shown = {"concepts__0__sample__count": 2, "concepts__0__sample__with_class": True}
    config = quick_config(tiny_sd1, pictures, intervals__sample_at_start=True, **shown)
    samples = [event for event in run_to_end(config, tmp_path / "run") if isinstance(event, Sample)]
    told = [(sample.step, sample.seed, sample.of_class, sample.prompt) for sample in samples]
    subject, plain = "a sks dog", "a dog"
    assert told == [(0, 5, False, subject), (0, 5, True, plain), (0, 6, False, subject), (0, 6, True, plain)]
    assert len({(tmp_path / "run" / sample.path).read_bytes() for sample in samples}) == 4
    resumed = run_to_end(config, tmp_path / "run", resume=True)
    assert not [event for event in resumed if isinstance(event, Sample)], "only before the very first step"


def test_validation_is_measured_on_both_kinds_of_pictures(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(
        tiny_sd1, pictures, intervals__validate_every_steps=4, concepts__0__prior__images_per_instance=1
    )
    measured = [event for event in run_to_end(config, tmp_path / "run") if isinstance(event, Validation)]
    assert [event.step for event in measured] == [0, 4, 8]
    assert all(event.instance is not None and event.prior is not None for event in measured)
    assert measured[-1].instance < measured[0].instance  # type: ignore[operator]


def test_a_run_ends_with_a_preview_of_what_it_ends_with(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=3, intervals__sample_every_steps=2)
    assert [event.step for event in run_to_end(config, tmp_path / "run") if isinstance(event, Sample)] == [2, 3]
