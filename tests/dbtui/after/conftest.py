"""A run, and surroundings that say nothing of this computer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.runs.folder import Run
from tests.dbtui.after.ended import make


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import time

    from tests.planning.example import card

    monkeypatch.setattr("core.planning.remedies.inspect_machine", card)  # what may help depends on it
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TZ", "UTC")
    for name in ("TERM", "DBTUI_GRAPHICS", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make(tmp_path / "home", "clock", batch__size=4)
