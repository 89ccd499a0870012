"""Previews on a disk that takes no more."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from core.families.model import TextEmbedding
from core.sampling import previews
from core.sampling.denoising import SamplingSettings
from core.sampling.previews import Preview, make_previews
from core.training.faults import sample_skipped


@pytest.mark.parametrize("room_for", [0, 1])
def test_a_full_disk_leaves_no_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room_for: int) -> None:
    written = []

    def write(path: Path, picture: Image.Image, recipe: object) -> None:
        if len(written) == room_for:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        path.write_bytes(b"png")
        written.append(path)

    for name in ("denoise", "initial_noise"):
        monkeypatch.setattr(previews, name, lambda *_, **__: None)
    monkeypatch.setattr(previews, "to_pictures", lambda *_: [None])
    monkeypatch.setattr(previews, "write_png", write)
    wanted = tuple(Preview("dog", number, "a dog", "", number, SamplingSettings(7.5, 1, 64)) for number in range(3))
    model: Any = SimpleNamespace(clip_skip=1)
    made = make_previews(
        model, wanted, lambda text: TextEmbedding(torch.zeros(1)), folder=tmp_path, step=7, title="",
        autocast=torch.autocast("cpu"), on_step=lambda: None,
    )  # fmt: skip
    with pytest.raises(OSError, match="No space left"):
        list(made)
    assert [path for path in (tmp_path / "samples").rglob("*") if path.is_file()] == written
    assert (tmp_path / "samples" / "step-000007").exists() == bool(room_for)


def test_a_preview_that_a_full_disk_refuses_is_told_in_words() -> None:
    said = sample_skipped(7, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/.staging-dog.png"), None).message
    assert "There is no room left" in said and "Errno" not in said and ".staging" not in said
