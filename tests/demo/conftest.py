"""The embedded model, or a tiny one in its place where the tests need nothing that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def stand_in(tiny_sd1: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`demo` means the tiny random model: quick to train, the same road."""
    monkeypatch.setattr("core.demo.source.MODEL", tiny_sd1)
    return tiny_sd1
