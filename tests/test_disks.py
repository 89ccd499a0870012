"""Disks that are full, read-only or broken: known before, and told with their mend."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.files import (
    explain,
    free_bytes,
    probe_writable,
    verify_directory,
)
from core.texts import UserError
from tests.written import ROOT, make, names, needs_root


def test_free_bytes_of_a_folder_that_will_be_made(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)


def test_the_probe_leaves_nothing_and_makes_nothing(tmp_path: Path) -> None:
    probe_writable(tmp_path / "not" / "yet")
    assert names(tmp_path) == []


def test_the_probe_refuses_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(UserError) as refused:
        probe_writable(tmp_path / "home" / "runs")
    assert refused.value.code == "disk.in-the-way"
    assert str(tmp_path / "home") in str(refused.value)


@needs_root
def test_the_probe_refuses_a_folder_of_somebody_else(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys; from core.files import probe_writable; from core.texts import UserError\n"
        "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        "try: probe_writable(pathlib.Path(sys.argv[1]))\n"
        "except UserError as error: print(error.code, error)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        said = subprocess.run(
            [sys.executable, "-c", program, folder], cwd=ROOT, capture_output=True, text=True, check=True
        )
    assert said.stdout.startswith("disk.read-only")
    assert folder in said.stdout


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@needs_root
def test_a_full_disk_keeps_the_old_folder_and_drops_the_staging(small_disk: Path) -> None:
    make(small_disk / "d", b"old" * 10_000, step=1)
    with pytest.raises(OSError) as failed:
        make(small_disk / "d", b"new" * 100_000, step=2)
    assert failed.value.errno == errno.ENOSPC
    assert explain(failed.value, small_disk).code == "disk.full"
    assert verify_directory(small_disk / "d") == {"step": 1}
    assert names(small_disk) == ["d"]


@needs_root
def test_the_probe_refuses_a_read_only_disk(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(UserError) as refused:
        probe_writable(small_disk / "runs")
    assert refused.value.code == "disk.read-only"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk.full"), (errno.EDQUOT, "disk.full"), (errno.EROFS, "disk.read-only"),
        (errno.EACCES, "disk.read-only"), (errno.EIO, "disk.broken"), (errno.ENOENT, "disk.missing"),
        (errno.ELOOP, "disk.failed"),
    ],
)  # fmt: skip
def test_each_failure_of_the_disk_has_its_sentence_and_mend(number: int, code: str) -> None:
    said = explain(OSError(number, os.strerror(number)), "/the/place")
    assert said.code == code
    assert "/the/place" in said.message.text
    assert said.message.advice
