"""Command lines that are told to people."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtui.commandline import command_line


def test_a_command_that_is_told_finds_the_runs_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    assert command_line("attach clock", tmp_path) == "dbtui attach clock"
    assert command_line("attach clock", tmp_path / "my runs") == f"dbtui attach clock --home '{tmp_path}/my runs'"
