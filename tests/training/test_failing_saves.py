"""States that cannot be written at once: tried again, waited for, told."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.events import Checkpoint, Done, Warned
from core.texts import UserError
from core.training.checkpoints import list_checkpoints
from tests.training.asking import Asked, AtStep, run_with
from tests.training.runs import quick_config, run_to_end


@pytest.fixture
def full_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the first file of tensors is written, and never after."""
    from core.training import checkpoints

    original, calls = checkpoints.write_tensors, iter(range(100))

    def write(*arguments: Any) -> None:
        if next(calls) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(*arguments)

    monkeypatch.setattr(checkpoints, "write_tensors", write)


@pytest.mark.usefixtures("full_at_first")
def test_a_state_is_saved_at_the_end_though_the_one_before_failed(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import checkpoints

    monkeypatch.setattr(checkpoints.Checkpoints, "finished", at_the_end(checkpoints.Checkpoints.finished))
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=2, intervals__save_every_steps=1)
    events = run_to_end(config, tmp_path / "run")
    assert [event.code for event in events if isinstance(event, Warned)] == ["checkpoint.failed"]
    assert [event.step for event in events if isinstance(event, Checkpoint)] == [2]
    assert isinstance(events[-1], Done)


@pytest.mark.usefixtures("full_at_first")
def test_a_save_that_failed_is_tried_again_before_the_next_is_due(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import checkpoints, saving

    in_the_foreground = replace(checkpoints.inspect_machine(), memory_available=0)
    monkeypatch.setattr(checkpoints, "inspect_machine", lambda: in_the_foreground)
    monkeypatch.setattr(saving, "RETRY_SECONDS", 0.0)
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=3)
    events = run_to_end(config, tmp_path / "run")
    assert [event.step for event in events if isinstance(event, Checkpoint)] == [4, 6, 8]


def at_the_end(finished: Any) -> Any:
    """The failure is heard of no sooner than the next save, as with a slow disk."""

    def late(self: Any) -> Any:
        return [] if self._thread is not None else finished(self)

    return late


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
