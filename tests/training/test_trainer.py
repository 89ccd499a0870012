from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from core.data.captions import Wording
from core.events import Checkpoint, Done, Event, Paused, Phase, Sample, Step, Stopped, Validation, Warned
from core.texts import UserError
from core.training.checkpoints import list_checkpoints, read_state
from core.training.precision import LossScale
from core.training.trainer import Trainer
from tests.training.runs import final_weights, first_gradients, no_commands, quick_config, ready_trainer, run_to_end


@dataclass(frozen=True)
class Asked:
    command: str
    id: str = "1"
    fields: dict[str, Any] = field(default_factory=dict)


def steps_of(events: Sequence[Event]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


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


class AtStep:
    """Asks for something once the run's folder shows that training has begun."""

    def __init__(self, *commands: Asked, after: int = 3) -> None:
        self.commands = list(commands)
        self.calls = 0
        self.after = after
        self.armed = False

    def __call__(self) -> list[Asked]:
        if not self.armed:
            return []
        self.calls += 1
        if self.calls >= self.after and self.commands:
            return [self.commands.pop(0)]
        return []


def run_with(config: Any, folder: Path, poll: AtStep) -> list[Event]:
    folder.mkdir()
    events = []
    for event in Trainer(config, folder, resume=False, poll=poll).run():
        events.append(event)
        poll.armed = poll.armed or (isinstance(event, Phase) and event.name == "training")
    return events


def test_stop_saves_a_state_that_resumes_to_the_same_end(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures)
    run_to_end(config, tmp_path / "whole")
    events = run_with(config, tmp_path / "run", AtStep(Asked("stop", "x")))
    assert isinstance(events[-1], Stopped) and events[-1].saved and events[-1].id == "x"
    assert isinstance(events[-2], Checkpoint) and events[-2].step == events[-1].step > 0
    run_to_end(config, tmp_path / "run", resume=True)
    assert final_weights(tmp_path / "run") == final_weights(tmp_path / "whole")


def test_discard_saves_nothing(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    stop = AtStep(Asked("stop", "x", {"discard": True}))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", stop)
    assert isinstance(events[-1], Stopped) and not events[-1].saved
    assert list_checkpoints(tmp_path / "run" / "checkpoints") == []


def test_pause_save_sample_and_continue_are_obeyed_and_answered(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    asked = AtStep(Asked("pause", "a"), Asked("save", "b"), Asked("sample", "c"), Asked("continue", "d"))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", asked)
    answers = {event.id: event.kind for event in events if getattr(event, "id", None)}
    assert answers == {"a": "paused", "b": "checkpoint", "c": "sample", "d": "continued"}
    assert any(isinstance(event, Paused) for event in events)
    assert isinstance(events[-1], Done)


def answers(events: Sequence[Event]) -> dict[str, str]:
    return {event.id: event.kind for event in events if getattr(event, "id", None)}  # type: ignore[attr-defined]


class AllAtOnce(AtStep):
    """The same, with everything in one poll."""

    def __call__(self) -> list[Asked]:
        first = super().__call__()
        rest, self.commands = (self.commands, []) if first else ([], self.commands)
        return [*first, *rest]


def test_what_waits_when_a_stop_comes_is_answered(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    asked = AllAtOnce(Asked("save", "a"), Asked("sample", "b"), Asked("stop", "c"), Asked("stop", "d"))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", asked)
    assert answers(events) == {"a": "checkpoint", "b": "warning", "c": "warning", "d": "stopped"}


def test_a_save_that_waits_when_all_is_discarded_is_refused(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    asked = AllAtOnce(Asked("save", "a"), Asked("stop", "b", {"discard": True}))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", asked)
    assert answers(events) == {"a": "warning", "b": "stopped"}


def test_what_is_asked_during_the_export_is_answered(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Asked] = []
    (tmp_path / "run").mkdir()
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=1, saving__export_when_done=True)
    events = []
    for event in Trainer(config, tmp_path / "run", resume=False, poll=lambda: [asked.pop()] if asked else []).run():
        events.append(event)
        if isinstance(event, Phase) and event.name == "exporting":
            asked.append(Asked("stop", "a"))
    assert answers(events) == {"a": "warning"} and isinstance(events[-1], Done)


def test_a_termination_during_the_last_save_is_not_followed_by_an_export(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    asked: list[Asked] = []
    (tmp_path / "run").mkdir()
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=1, saving__export_when_done=True)
    events = []
    for event in Trainer(config, tmp_path / "run", resume=False, poll=lambda: [asked.pop()] if asked else []).run():
        events.append(event)
        if isinstance(event, Phase) and event.name == "saving":
            asked.append(Asked("stop", "a", {"reason": "terminated"}))
    assert isinstance(events[-1], Stopped) and events[-1].saved and events[-1].step == 1
    assert not any(isinstance(event, Phase) and event.name == "exporting" for event in events)
    assert isinstance(run_to_end(config, tmp_path / "run", resume=True)[-1], Done)


def test_a_preview_where_none_are_made_is_answered(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, concepts__0__sample__count=0, intervals__sample_every_steps=1)
    events = run_with(config, tmp_path / "run", AtStep(Asked("sample", "a")))
    assert answers(events) == {"a": "warning"}
    assert len([event for event in events if isinstance(event, Warned)]) == 1, "only what was asked is answered"


def test_a_stop_before_the_first_step_says_that_nothing_is_saved(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    (tmp_path / "run").mkdir()
    asked = [Asked("stop", "a")]
    trainer = Trainer(
        quick_config(tiny_sd1, pictures), tmp_path / "run", resume=False, poll=lambda: [asked.pop()] if asked else []
    )
    last = list(trainer.run())[-1]
    assert isinstance(last, Stopped) and (last.step, last.saved) == (0, False)


def test_a_state_is_saved_at_the_end_though_the_one_before_failed(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import checkpoints

    original, calls = checkpoints.write_tensors, iter(range(100))

    def full_at_first(*arguments: Any) -> None:
        if next(calls) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(*arguments)

    monkeypatch.setattr(checkpoints, "write_tensors", full_at_first)
    monkeypatch.setattr(checkpoints.Checkpoints, "finished", at_the_end(checkpoints.Checkpoints.finished))
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=2, intervals__save_every_steps=1)
    events = run_to_end(config, tmp_path / "run")
    assert [event.code for event in events if isinstance(event, Warned)] == ["checkpoint.failed"]
    assert [event.step for event in events if isinstance(event, Checkpoint)] == [2]
    assert isinstance(events[-1], Done)


def test_a_save_that_failed_is_tried_again_before_the_next_is_due(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import checkpoints, saving

    original, calls = checkpoints.write_tensors, iter(range(100))

    def full_at_first(*arguments: Any) -> None:
        if next(calls) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(*arguments)

    in_the_foreground = replace(checkpoints.inspect_machine(), memory_available=0)
    monkeypatch.setattr(checkpoints, "inspect_machine", lambda: in_the_foreground)
    monkeypatch.setattr(checkpoints, "write_tensors", full_at_first)
    monkeypatch.setattr(saving, "RETRY_SECONDS", 0.0)
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=3)
    events = run_to_end(config, tmp_path / "run")
    assert [event.step for event in events if isinstance(event, Checkpoint)] == [4, 6, 8]


def at_the_end(finished: Any) -> Any:
    """The failure is heard of no sooner than the next save, as with a slow disk."""

    def late(self: Any) -> Any:
        return [] if self._thread is not None else finished(self)

    return late


EFFECTIVE = {
    "performance.snr_gamma": 1.0,
    "performance.betas": "0.5, 0.7",
    "performance.eps": 0.1,
    "prior_loss.scaled": True,
    "performance.offset_noise": 0.3,
    "performance.max_grad_norm": 0.01,
    "performance.weight_decay": 0.9,
    "performance.seed": 8,
    "performance.text_encoder_rate": 1e-4,
    "performance.text_encoder_ratio": 1.0,
    "performance.mixed_precision": "bf16",
    "performance.optimizer": "adamw_8bit",
    "learning_rate.rate": 5e-4,
    "learning_rate.scheduler": "cosine",
    "learning_rate.warmup_steps": 4,
    "batch.size": 2,
    "batch.accumulation": 2,
    "model.resolution": 48,
    "prior_loss.weight": 0.1,
    "intervals.epochs": 3,
    "intervals.max_steps": 3,
    "concepts.0.instance.repeats": 2,
    "concepts.0.instance.prompt": "a photo of {identifier} {class}",
    "concepts.0.instance.identifier": "ohwx",
    "concepts.0.prior.prompt": "a cat",
    "concepts.0.prior.images_per_instance": 2,
    "concepts.0.prior.guidance_scale": 1.0,
    "concepts.0.prior.steps": 3,
    "concepts.0.prior.negative_prompt": "a cat",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_sd1: Path, pictures: Path) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("plain") / "run"
    run_to_end(quick_config(tiny_sd1, pictures, concepts__0__prior__images_per_instance=1), folder)
    return final_weights(folder)


@pytest.mark.parametrize("option", EFFECTIVE)
def test_no_option_is_shown_and_ignored(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, plain: dict[str, str], option: str
) -> None:
    changes = {"concepts.0.prior.images_per_instance": 1, option: EFFECTIVE[option]}
    run_to_end(quick_config(tiny_sd1, pictures, **changes), tmp_path / "run")
    assert final_weights(tmp_path / "run")["unet.safetensors"] != plain["unet.safetensors"]


@pytest.mark.parametrize(
    ("option", "value", "other", "needed"),
    [
        ("prior_loss.minimum", 0.5, "prior_loss.scaled", True),
        ("prior_loss.target_epoch", 1, "prior_loss.scaled", True),
        ("learning_rate.cycles", 2, "learning_rate.scheduler", "cosine_with_restarts"),
        ("learning_rate.power", 2.0, "learning_rate.scheduler", "polynomial"),
    ],
)
def test_no_option_is_ignored_that_needs_another(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, option: str, value: Any, other: str, needed: Any
) -> None:
    changes = {"concepts.0.prior.images_per_instance": 1, "intervals.max_steps": 3, other: needed}
    run_to_end(quick_config(tiny_sd1, pictures, **changes), tmp_path / "without")
    run_to_end(quick_config(tiny_sd1, pictures, **changes, **{option: value}), tmp_path / "with")
    assert final_weights(tmp_path / "with") != final_weights(tmp_path / "without")


def test_final_rate_is_where_a_falling_scheduler_ends(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, learning_rate__scheduler="cosine", learning_rate__final_rate=1e-4)
    rates = [step.rate for step in steps_of(run_to_end(config, tmp_path / "run"))]
    assert rates[0] == pytest.approx(1e-3) and rates[-1] == pytest.approx(1e-4)
    assert rates == sorted(rates, reverse=True)


def full_disk(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The disk has no room for the next so many states; waiting takes no time."""
    from core.training import checkpoints, saving

    original, calls = checkpoints.free_bytes, iter(range(1000))
    monkeypatch.setattr(checkpoints, "free_bytes", lambda path: 0 if next(calls) < times else original(path))
    monkeypatch.setattr(saving, "TRY_SECONDS", 0.0)


def test_the_last_save_waits_for_a_disk_that_is_full(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, 3)
    events = run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run")
    told = [event for event in events if isinstance(event, Warned)]
    assert [event.code for event in told] == ["checkpoint.waiting"] * 3
    assert "needs" in told[0].message and "tried again" in told[0].message
    assert isinstance(events[-1], Done) and list_checkpoints(tmp_path / "run" / "checkpoints")


def test_the_last_save_gives_up_after_its_patience_or_when_told_to_discard(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, 1000)
    discard = AtStep(Asked("stop", "x"), Asked("stop", "y", {"discard": True}))
    with pytest.raises(UserError, match="cannot be saved"):
        run_with(quick_config(tiny_sd1, pictures), tmp_path / "told", discard)
    monkeypatch.setattr("core.training.saving.PATIENCE_SECONDS", 0.0)
    with pytest.raises(UserError, match="cannot be saved"):
        run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "patience")


def test_a_run_ends_with_a_preview_of_what_it_ends_with(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=3, intervals__sample_every_steps=2)
    assert [event.step for event in run_to_end(config, tmp_path / "run") if isinstance(event, Sample)] == [2, 3]
