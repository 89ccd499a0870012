from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.events import Checkpoint, Event, Export, Phase, RunStarted, Step, Stopped, Warned
from core.texts import UserError
from core.training.checkpoints import list_checkpoints, read_state
from core.training.precision import LossScale
from core.training.trainer import Trainer
from tests.training.asking import Asked
from tests.training.runs import final_weights, no_commands, quick_config, run_to_end

MODES = {
    "text encoder stops half way": {"concepts__0__prior__images_per_instance": 1},
    "8bit, bf16, offset noise": {
        "performance__optimizer": "adamw_8bit",
        "performance__mixed_precision": "bf16",
        "performance__offset_noise": 0.1,
    },
    "average, min-SNR, scaled prior loss": {
        "performance__ema": True,
        "performance__ema_previews": True,
        "intervals__sample_every_steps": 3,
        "performance__snr_gamma": 5.0,
        "prior_loss__scaled": True,
        "prior_loss__target_epoch": 2,
        "concepts__0__prior__images_per_instance": 1,
    },
    "bf16 weights, 8bit Lion": {
        "performance__weights": "bf16",
        "performance__mixed_precision": "bf16",
        "performance__optimizer": "lion_8bit",
        "learning_rate__rate": 1e-4,
    },
    "Prodigy": {"performance__optimizer": "prodigy", "learning_rate__rate": 1.0},
    "cosine with warm-up, accumulation": {
        "learning_rate__scheduler": "cosine",
        "learning_rate__warmup_steps": 2,
        "batch__accumulation": 2,
        "intervals__epochs": 4,
    },
}


def killed_after(config: RunConfig, folder: Path, step: int) -> list[Event]:
    """Train until the state of `step` is durable, then drop everything, as a killed process does."""
    folder.mkdir()
    events: list[Event] = []
    trainer = Trainer(config, folder, resume=False, poll=no_commands).run()
    for event in trainer:
        events.append(event)
        if isinstance(event, Checkpoint) and event.step >= step:
            break
    trainer.close()  # type: ignore[attr-defined]
    return events


def losses(events: Sequence[Event]) -> dict[int, tuple[float | None, float | None]]:
    return {event.step: (event.loss, event.gradient_norm) for event in events if isinstance(event, Step)}


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_and_resumed_run_has_the_losses_and_weights_of_an_undisturbed_one(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, mode: str
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1, **MODES[mode])
    undisturbed = run_to_end(config, tmp_path / "whole")
    for step in (2, 5):
        folder = tmp_path / f"killed-{step}"
        killed_after(config, folder, step)
        resumed = run_to_end(config, folder, resume=True)
        started = next(event for event in resumed if isinstance(event, RunStarted))
        assert started.resumed_from is not None and started.exact
        expected = losses(undisturbed)
        assert losses(resumed) == {step: expected[step] for step in losses(resumed)}
        assert final_weights(folder) == final_weights(tmp_path / "whole")


def test_a_damaged_state_is_passed_over_loudly_for_the_one_before(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1)
    folder = tmp_path / "run"
    killed_after(config, folder, 4)
    (_, older), (_, newest) = list_checkpoints(folder / "checkpoints")[-2:]
    file = newest / "unet.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    resumed = run_to_end(config, folder, resume=True)
    started = next(event for event in resumed if isinstance(event, RunStarted))
    assert started.resumed_from == int(older.name.removeprefix("step-"))
    assert any(isinstance(event, Warned) and newest.name in event.message for event in resumed)


def test_a_run_whose_states_are_all_damaged_is_refused(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1)
    folder = tmp_path / "run"
    killed_after(config, folder, 3)
    for _, state in list_checkpoints(folder / "checkpoints"):
        (state / "state.json").write_text("{}")
    with pytest.raises(UserError, match="No saved state in"):
        run_to_end(config, folder, resume=True)


def test_at_least_two_states_are_kept_and_older_ones_go(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    run_to_end(quick_config(tiny_sd1, pictures, intervals__save_every_steps=1), tmp_path / "run")
    assert [step for step, _ in list_checkpoints(tmp_path / "run" / "checkpoints")] == [7, 8]
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"step-000007", "step-000008"}


def test_a_state_holds_no_optimizer_memory_of_a_stopped_text_encoder(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run")
    _, newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert (newest / "text_encoder.safetensors").exists(), "its trained weights are kept"
    assert b"text_encoder/" not in (newest / "optimizer.safetensors").read_bytes()
    assert json.loads((newest / "state.json").read_text())["text_encoder_stopped"]


def test_changed_pictures_are_told_when_resuming(tmp_path: Path, tiny_sd1: Path) -> None:
    from tests.training.runs import draw_pictures

    own = draw_pictures(tmp_path / "own", 4)
    config = quick_config(tiny_sd1, own, intervals__save_every_steps=1)
    killed_after(config, tmp_path / "run", 2)
    draw_pictures(own, 4, side=50)
    resumed = run_to_end(config, tmp_path / "run", resume=True)
    assert any(isinstance(event, Warned) and event.code == "resume.data-changed" for event in resumed)


def test_a_finished_run_can_be_trained_longer_but_not_exactly(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    run_to_end(quick_config(tiny_sd1, pictures), tmp_path / "run")
    longer = run_to_end(quick_config(tiny_sd1, pictures, intervals__epochs=3), tmp_path / "run", resume=True)
    started = next(event for event in longer if isinstance(event, RunStarted))
    assert (started.resumed_from, started.total_steps, started.exact) == (8, 12, False)
    assert list(losses(longer)) == [9, 10, 11, 12]


def test_a_run_that_is_resumed_with_smaller_batches_of_the_same_update_computes_in_those(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, batch__size=2, intervals__save_every_epochs=1)
    killed_after(config, tmp_path / "run", 1)
    batch = config.batch.model_copy(update={"size": 1, "accumulation": 2})
    run_to_end(config.model_copy(update={"batch": batch}), tmp_path / "run", resume=True)
    first, *_, last = (read_state(path) for _, path in list_checkpoints(tmp_path / "run" / "checkpoints"))
    assert (last.micro_batch, last.step > first.step) == (1, True)


def test_a_stop_while_a_resumed_run_loads_tells_where_it_was(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1)
    killed_after(config, tmp_path / "run", 4)
    loading: list[Event] = []
    trainer = Trainer(config, tmp_path / "run", resume=True, poll=lambda: [Asked("stop")] if loading else [])
    events = []
    for event in trainer.run():
        events.append(event)
        loading += [event] if isinstance(event, Phase) and event.name == "loading" else []
    last = events[-1]
    assert isinstance(last, Stopped) and last.saved
    assert last.step == list_checkpoints(tmp_path / "run" / "checkpoints")[-1][0]


def test_a_run_made_longer_leaves_a_stopped_text_encoder_alone(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures)
    run_to_end(config, tmp_path / "run")
    before = final_weights(tmp_path / "run")
    longer = quick_config(tiny_sd1, pictures, intervals__epochs=6)
    steps = [event for event in run_to_end(longer, tmp_path / "run", resume=True) if isinstance(event, Step)]
    assert {step.text_encoder_rate for step in steps} == {None} and len(steps) == 16
    after = final_weights(tmp_path / "run")
    assert after["text_encoder.safetensors"] == before["text_encoder.safetensors"]
    assert after["unet.safetensors"] != before["unet.safetensors"]


def test_a_run_made_shorter_keeps_what_its_text_encoder_learned(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1, performance__text_encoder_ratio=0.9)
    killed_after(config, tmp_path / "run", 1)
    before = final_weights(tmp_path / "run")
    shorter = quick_config(tiny_sd1, pictures, intervals__max_steps=1, performance__text_encoder_ratio=0.9)
    run_to_end(shorter, tmp_path / "run", resume=True)
    assert final_weights(tmp_path / "run")["text_encoder.safetensors"] == before["text_encoder.safetensors"]


def test_a_loss_scale_is_only_taken_up_in_its_own_precision(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1)
    killed_after(config, tmp_path / "run", 2)
    other = quick_config(tiny_sd1, pictures, performance__mixed_precision="fp16")
    trainer = Trainer(other, tmp_path / "run", resume=True, poll=no_commands)
    for event in trainer.run():
        if isinstance(event, Phase) and event.name == "training":
            break
    assert trainer._scale.scale == LossScale.START


def test_a_run_made_longer_does_not_replace_what_it_exported_before(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    export = {"saving__export_when_done": True}
    run_to_end(quick_config(tiny_sd1, pictures, **export), tmp_path / "run")
    first = (tmp_path / "run" / "export" / "quick.safetensors").read_bytes()
    run_to_end(quick_config(tiny_sd1, pictures, intervals__epochs=3, **export), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "export" / "quick.safetensors").read_bytes() == first
    assert (tmp_path / "run" / "export" / "quick-step-000012.safetensors").exists()


def test_a_run_whose_export_failed_has_its_state_and_exports_when_resumed(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import saving

    def full(*_: object, **__: object) -> None:
        raise UserError("export.no-room", "There is no room.")

    config = quick_config(tiny_sd1, pictures, saving__export_when_done=True)
    with monkeypatch.context() as patch:
        patch.setattr(saving, "export_trained", full)
        with pytest.raises(UserError, match="no room"):
            run_to_end(config, tmp_path / "run")
    events = run_to_end(config, tmp_path / "run", resume=True)
    assert not [event for event in events if isinstance(event, Step)]
    assert [event.path for event in events if isinstance(event, Export)] == ["export/quick.safetensors"]


def test_a_changed_source_is_told_when_resuming(tmp_path: Path, pictures: Path) -> None:
    from tests.tiny import make_tiny_sd1

    source = make_tiny_sd1(tmp_path / "source")
    config = quick_config(source, pictures, intervals__save_every_steps=1)
    killed_after(config, tmp_path / "run", 2)
    make_tiny_sd1(source, seed=1)
    resumed = run_to_end(config, tmp_path / "run", resume=True)
    assert any(isinstance(event, Warned) and event.code == "resume.data-changed" for event in resumed)


def test_another_number_of_processes_is_told_when_resuming(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1)
    killed_after(config, tmp_path / "run", 2)
    monkeypatch.setattr("core.training.start.read_state", lambda path: replace(read_state(path), processes=2))
    resumed = run_to_end(config, tmp_path / "run", resume=True)
    (told,) = [event for event in resumed if isinstance(event, Warned)]
    assert told.code == "resume.other-processes"
    assert "by 2 processes" in told.message and "now it is 1 process." in told.message


def test_a_state_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"step": 3, "something": "new"}')
    with pytest.raises(UserError, match="version of dbtui"):
        read_state(tmp_path)
