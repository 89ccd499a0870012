"""Folders written as a save writes them, for the tests of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.files import (
    staged_directory,
)

ROOT = Path(__file__).parent.parent


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and change users")


def make(final: Path, content: bytes = b"weights", **extra: object) -> Path:
    with staged_directory(final, extra) as staging:
        (staging / "unet.safetensors").write_bytes(content)
        (staging / "inner").mkdir()
        (staging / "inner" / "state.json").write_text("{}")
    return final


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
