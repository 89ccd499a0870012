"""Nothing that a library prints reaches the screen; all of it reaches the log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.runs.output import captured_output, open_log
from core.texts import UserError
from tests.runs.conftest import ROOT

PROGRAM = """
import os, pathlib, subprocess, sys
from core.runs.output import captured_output
print("before")
with captured_output(pathlib.Path(sys.argv[1])) as screen:
    print("python says")
    print("python warns", file=sys.stderr)
    os.write(1, b"C says\\n")
    os.write(2, b"C warns\\n")
    subprocess.run(["sh", "-c", "echo child says; echo child warns >&2"], check=True)
    os.write(screen, b"for the screen\\n")
    assert not os.get_inheritable(screen)
    if "fail" in sys.argv: raise SystemExit(4)
print("after")
print("after, warned", file=sys.stderr)
"""


@pytest.mark.parametrize("ending", ["well", "fail"])
def test_every_layer_writes_into_the_log_and_the_screen_stays_ours(tmp_path: Path, ending: str) -> None:
    (tmp_path / "train.log").write_text("earlier\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "train.log"), ending], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    log = (tmp_path / "train.log").read_text().splitlines()
    assert log[0] == "earlier"
    assert sorted(log[1:]) == [
        "C says", "C warns", "child says", "child warns", "python says", "python warns",
    ]  # fmt: skip
    if ending == "well":
        assert (done.stdout, done.stderr) == ("before\nafter\n", "for the screen\nafter, warned\n")
    else:
        assert (done.returncode, done.stdout, done.stderr) == (4, "before\n", "for the screen\n")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with captured_output(tmp_path / "train.log"):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_link_in_place_of_the_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "train.log").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError), captured_output(tmp_path / "train.log"):
        os.write(1, b"x")
    with pytest.raises(UserError):
        open_log(tmp_path / "missing" / "train.log")
    assert (tmp_path / "precious").read_text() == "mine"


def test_libraries_are_quiet_once_they_are_imported(tmp_path: Path) -> None:
    program = """
import pathlib, sys
import diffusers.utils.logging, transformers.utils.logging
from core.runs.output import captured_logging, quiet_libraries
with captured_logging(pathlib.Path(sys.argv[1])):
    quiet_libraries()
    for library in (diffusers, transformers):
        library.utils.logging.get_logger(library.__name__ + ".models").warning("odd: %s", library.__name__)
        for _ in library.utils.logging.tqdm(range(3)): pass
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "log")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert "odd" not in done.stderr
    assert "it/s" not in done.stderr
    log = (tmp_path / "log").read_text()
    assert log.count("odd: diffusers") == log.count("odd: transformers") == 1
