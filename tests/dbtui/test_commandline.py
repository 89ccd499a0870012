"""Command lines that are told to people."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dbtui.boundary import complain
from dbtui.commandline import command_line


def test_a_command_that_is_told_finds_the_runs_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    assert command_line("attach clock", tmp_path) == "dbtui attach clock"
    assert command_line("attach clock", tmp_path / "my runs") == f"dbtui attach clock --home '{tmp_path}/my runs'"


def test_where_no_shell_finds_the_program_its_path_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my env").mkdir()
    for name in ("python", "dbtui"):
        (tmp_path / "my env" / name).touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "python"))
    assert command_line("runs", tmp_path) == f"'{tmp_path}/my env/dbtui' runs"
    monkeypatch.chdir(tmp_path)
    assert command_line("runs", tmp_path) == "'my env/dbtui' runs"
    complain("It is done. `dbtui runs` lists all.")
    assert capsys.readouterr().err == "It is done. `'my env/dbtui' runs` lists all.\n"
    (tmp_path / "dbtui").touch(0o755)
    assert command_line("runs", tmp_path) == "dbtui runs"
