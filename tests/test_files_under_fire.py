"""A save that is killed or fails at any system call is whole or absent."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.files import (
    sweep_staging,
    verify_directory,
)
from tests import protocol_child
from tests.written import ROOT, make, names

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


SYSCALLS = ("openat", "write", "fsync", "rename", "mkdir", "unlink", "unlinkat", "rmdir", "chmod", "fchmodat")


def prepare(folder: Path) -> Path:
    folder.mkdir()
    make(folder / "step-1", b"old", step=1)
    (folder / "state.json").write_text("old")
    return folder


def under_strace(scenario: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["strace", "-f", "-qq", *options, sys.executable, "-B", "-m", protocol_child.__name__, scenario, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def calls_of_the_protocol(scenario: str, folder: Path) -> list[tuple[str, int]]:
    """Each system call of the save as (name, how many of that name the process had made by then, with it)."""
    trace = folder.parent / "trace"
    under_strace(scenario, prepare(folder), "-o", str(trace), "-e", f"trace=access,faccessat2,{','.join(SYSCALLS)}")
    counts: dict[str, int] = {}
    found: list[tuple[str, int]] = []
    begun = False
    for line in trace.read_text().splitlines():
        name = re.sub(r"^\d+\s+", "", line).partition("(")[0]
        begun = begun or protocol_child.MARK in line
        counts[name] = counts.get(name, 0) + 1
        if begun and name in SYSCALLS:
            found.append((name, counts[name]))
    return found


def assert_nothing_half_done(scenario: str, folder: Path, code: int) -> None:
    """Before any sweep nothing half-written has a final name; afterwards a good state is there and no leftovers."""
    for state in folder.glob("step-*"):
        verify_directory(state)
    sweep_staging(folder)
    left = names(folder)
    assert not [name for name in left if name.startswith(".")]
    if scenario == "file":
        expected = {protocol_child.SAVED: {"new" * 1000}, protocol_child.FAILED: {"old", "new" * 1000}}
        assert (folder / "state.json").read_text() in expected.get(code, {"old", "new" * 1000})
        return
    states = {verify_directory(folder / name)["step"] for name in left if name.startswith("step-")}
    assert states & {1, 2}
    if code == protocol_child.SAVED:
        assert 2 in states
    elif code == protocol_child.FAILED:
        assert 1 in states, "a save that failed took the good state with it"


FAULTS = {
    "kill": ("signal=SIGKILL", SYSCALLS),
    "no room": ("error=ENOSPC", ("openat", "write", "mkdir", "rename", "fsync")),
    "broken disk": ("error=EIO", ("fsync", "write", "rename", "openat")),
}


def sweep(fault: str, scenario: str, tmp_path: Path, every: int) -> int:
    effect, hit = FAULTS[fault]
    calls = [call for call in calls_of_the_protocol(scenario, tmp_path / "clean") if call[0] in hit]
    tried = 0
    for name, count in calls[tried::every]:
        tried += 1
        folder = prepare(tmp_path / f"{name}-{count}")
        lasting = "" if fault == "kill" else "+"  # a full or broken disk stays so
        done = under_strace(scenario, folder, "-o", "/dev/null", "-e", f"trace={name}",
                            "-e", f"inject={name}:{effect}:when={count}{lasting}")  # fmt: skip
        killed = done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        assert killed if fault == "kill" else done.returncode in (protocol_child.SAVED, protocol_child.FAILED), done
        assert_nothing_half_done(scenario, folder, done.returncode)
    return tried


@needs_strace
@pytest.mark.parametrize("scenario", ["file", "beside", "replaced"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_save_that_is_hit_at_some_system_calls_is_whole_or_absent(fault: str, scenario: str, tmp_path: Path) -> None:
    assert sweep(fault, scenario, tmp_path, every=16) >= 1


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", ["file", "beside", "replaced"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_save_that_is_hit_at_any_system_call_is_whole_or_absent(fault: str, scenario: str, tmp_path: Path) -> None:
    assert sweep(fault, scenario, tmp_path, every=1) >= 4


def test_the_lock_of_a_staging_folder_goes_with_its_process(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys; from core.files import staged_directory\n"
        "with staged_directory(pathlib.Path(sys.argv[1]), {}): os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "d")], cwd=ROOT, check=False)
    assert len(names(tmp_path)) == 1
    sweep_staging(tmp_path)
    assert names(tmp_path) == []
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
