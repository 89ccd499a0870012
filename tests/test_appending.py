"""Lines at the end of a file: whole or absent, whoever writes and however full the disk is."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import files
from core.files import (
    LineAppender,
)
from tests.written import ROOT


@given(st.lists(st.text(st.characters(exclude_characters="\n"), max_size=30), max_size=8), st.integers(0, 300))
@settings(max_examples=80, deadline=None)
def test_a_torn_last_line_is_cut_and_all_others_stay(lines: list[str], cut: int) -> None:
    whole = "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines"
        path.write_bytes(whole[:cut])
        appender = LineAppender(path)
        appender.append("next")
        appender.sync()
        appender.close()
        kept = whole[:cut][: whole[:cut].rfind(b"\n") + 1]
        assert path.read_bytes() == kept + b"next\n"


def test_a_torn_line_longer_than_a_piece_is_cut(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"first\n" + b"\0" * (3 * files.PIECE))
    LineAppender(tmp_path / "lines").close()
    assert (tmp_path / "lines").read_bytes() == b"first\n"


def test_lone_surrogates_become_json_escapes(tmp_path: Path) -> None:
    appender = LineAppender(tmp_path / "lines")
    appender.append(json.dumps({"path": "a\udcffb"}, ensure_ascii=False))
    appender.close()
    assert json.loads((tmp_path / "lines").read_bytes()) == {"path": "a\udcffb"}


def test_a_line_break_inside_a_line_is_refused(tmp_path: Path) -> None:
    appender = LineAppender(tmp_path / "lines")
    with pytest.raises(ValueError, match="line break"):
        appender.append("a\nb")
    appender.close()


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "lines").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        LineAppender(tmp_path / "lines")


def test_lines_of_two_processes_stay_whole(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from core.files import LineAppender\n"
        "a = LineAppender(pathlib.Path(sys.argv[1]))\n"
        "for i in range(300): a.append(sys.argv[2] * 500)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "lines"), mark], cwd=ROOT) for mark in "ab"
    ]
    assert [writer.wait(30) for writer in writers] == [0, 0]
    lines = (tmp_path / "lines").read_text().splitlines()
    assert sorted(lines) == ["a" * 500] * 300 + ["b" * 500] * 300


def test_a_line_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    program = (
        "import pathlib, resource, sys; from core.files import LineAppender\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "a = LineAppender(pathlib.Path(sys.argv[1]))\n"
        "a.append('x' * 900)\n"
        "try: a.append('y' * 900)\n"
        "except OSError as error: print(error.strerror)\n"
        "a.append('z')\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "lines")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "too large" in said.stdout
    assert (tmp_path / "lines").read_text() == "x" * 900 + "\nz\n"
