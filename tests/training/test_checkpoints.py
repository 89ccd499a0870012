from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from core.best import mark_best
from core.tensors import read_tensors
from core.texts import UserError
from core.training import checkpoints
from core.training.checkpoints import Checkpoints, Snapshot, TrainingState, list_checkpoints, newest_checkpoint


def snapshot(step: int, value: float = 1.0) -> Snapshot:
    state = TrainingState(
        step=step, updates=step, total_steps=10, micro_batch=1, loss_scale=1.0, good_updates=0,
        text_encoder_stopped=False, threads=1, device="CPU", precision="no", config_hash="c", data_hash="d",
        versions={"torch": "2"},
    )  # fmt: skip
    return Snapshot(state, {"unet.safetensors": {"w": torch.full((8, 8), value)}})


def saved(folder: Path, *steps: int) -> Checkpoints:
    writer = Checkpoints(folder, keep=2)
    for step in steps:
        writer.save(snapshot(step))
    writer.join()
    return writer


def test_training_may_change_the_weights_while_a_state_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = threading.Event()
    original = checkpoints.write_tensors

    def slow(*arguments: object) -> None:
        assert changed.wait(10)
        original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoints, "write_tensors", slow)
    taken = snapshot(1)
    writer = Checkpoints(tmp_path, keep=2)
    writer.save(taken)
    taken.files["unet.safetensors"]["w"].fill_(9.0)
    changed.set()
    writer.join()
    assert read_tensors(tmp_path / "step-000001" / "unet.safetensors")["w"].eq(1.0).all()


def test_without_memory_for_a_copy_the_state_is_written_before_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    small = replace(checkpoints.inspect_machine(), memory_available=0)
    monkeypatch.setattr(checkpoints, "inspect_machine", lambda: small)
    monkeypatch.setattr(Snapshot, "copied", None)
    writer = Checkpoints(tmp_path, keep=2)
    writer.save(snapshot(1))
    assert [event.step for event in writer.finished()] == [1]


def test_a_state_is_told_once_and_only_when_it_is_durable(tmp_path: Path) -> None:
    writer = saved(tmp_path, 1)
    (event,) = writer.finished()
    assert (event.step, event.path) == (1, f"{tmp_path.name}/step-000001")
    assert event.bytes == sum(file.stat().st_size for file in (tmp_path / "step-000001").iterdir())
    assert writer.finished() == []


def test_older_states_go_only_after_a_newer_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, 1, 2)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints, "write_tensors", full)
    writer = saved(tmp_path, 3)
    with pytest.raises(UserError, match="No space left"):
        writer.finished()
    assert [step for step, _ in list_checkpoints(tmp_path)] == [1, 2]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    monkeypatch.undo()
    saved(tmp_path, 3)
    assert [step for step, _ in list_checkpoints(tmp_path)] == [2, 3]


def test_the_state_that_is_marked_as_the_best_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    mark_best(tmp_path, 1)
    saved(folder, 1, 2, 3, 4)
    assert [step for step, _ in list_checkpoints(folder)] == [1, 3, 4]
    mark_best(tmp_path, None)
    saved(folder, 5)
    assert [step for step, _ in list_checkpoints(folder)] == [4, 5]


def test_too_little_room_is_seen_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "free_bytes", lambda _: 10)
    with pytest.raises(UserError, match="needs 256 bytes"):
        Checkpoints(tmp_path, keep=2).save(snapshot(1))
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_write_are_no_states_and_go(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    (tmp_path / ".staging-step-000002-abc").mkdir()
    told: list[UserError] = []
    assert newest_checkpoint(tmp_path, told.append) == tmp_path / "step-000001"
    assert told == []
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]


def test_nothing_saved_is_no_error(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "none", lambda _: None) is None


def test_a_damaged_state_is_not_counted_among_those_kept_and_goes_with_the_next_whole_one(tmp_path: Path) -> None:
    saved(tmp_path, 1, 3)
    (tmp_path / "step-000003" / "unet.safetensors").write_bytes(b"damaged")
    writer = Checkpoints(tmp_path, keep=2, resumed_at=1)
    writer.save(snapshot(2))
    writer.join()
    assert [step for step, _ in list_checkpoints(tmp_path)] == [1, 2]
    writer.save(snapshot(3))
    writer.join()
    assert [step for step, _ in list_checkpoints(tmp_path)] == [2, 3], "a new state of that step is not the damaged one"


def test_an_older_state_that_stays_does_not_make_the_new_one_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, 1, 2)

    def refused(_: Path) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(checkpoints, "remove_directory", refused)
    events = saved(tmp_path, 3).finished()
    assert [event.kind for event in events] == ["checkpoint", "warning"]


def test_a_mistake_while_writing_comes_out_where_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("made by the test")

    monkeypatch.setattr(checkpoints, "write_tensors", wrong)
    writer = saved(tmp_path, 1)
    with pytest.raises(RuntimeError, match="made by the test"):
        writer.finished()
