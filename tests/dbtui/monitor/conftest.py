"""A run for the monitor to show, and surroundings that say nothing of this computer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dbtui import synthetic
from tests.dbtui.synthetic import SyntheticRun


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("DBTUI_GRAPHICS", "TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(tmp_path: Path) -> SyntheticRun:
    return SyntheticRun(tmp_path, "clock")


@pytest.fixture
def owned(run: SyntheticRun) -> Iterator[SyntheticRun]:
    """The run while this very process holds its lock."""
    with synthetic.held(run):
        yield run
