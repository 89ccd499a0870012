"""Durable writes: nothing half-written under a final name, whatever fails and whenever."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import files
from core.files import (
    MANIFEST,
    REPLACED,
    STAGING,
    DamagedFiles,
    LineAppender,
    explain,
    free_bytes,
    hash_file,
    new_directory,
    probe_writable,
    remove_directory,
    staged_directory,
    sweep_staging,
    verify_directory,
    write_atomic,
)
from core.texts import UserError
from tests import protocol_child

ROOT = Path(__file__).parent.parent
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and change users")


def make(final: Path, content: bytes = b"weights", **extra: object) -> Path:
    with staged_directory(final, extra) as staging:
        (staging / "unet.safetensors").write_bytes(content)
        (staging / "inner").mkdir()
        (staging / "inner" / "state.json").write_text("{}")
    return final


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- one file ---------------------------------------------------------------------------------------------------


def test_write_atomic_replaces_the_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", "old ü")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_written_files_have_the_mode_of_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "a", "x")
        with staged_directory(tmp_path / "d", {}) as staging:
            (staging / "private").write_bytes(b"x")
            (staging / "private").chmod(0o600)  # as safetensors leaves its files
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "d" / "private", tmp_path / "d" / MANIFEST):
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask, path
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_failed_sync_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a", "old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_atomic(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    name = "ü" * 127
    write_atomic(tmp_path / name, "x")
    assert names(tmp_path) == [name]


# --- a folder ---------------------------------------------------------------------------------------------------


def test_a_staged_folder_is_verified_and_tells_what_was_put_into_its_manifest(tmp_path: Path) -> None:
    make(tmp_path / "checkpoints" / "step-1", step=1, versions={"torch": "2"})
    assert verify_directory(tmp_path / "checkpoints" / "step-1") == {"step": 1, "versions": {"torch": "2"}}
    listed = json.loads((tmp_path / "checkpoints" / "step-1" / MANIFEST).read_text())["files"]
    assert set(listed) == {"unet.safetensors", "inner/state.json"}
    assert listed["unet.safetensors"] == {
        "bytes": 7,
        "sha256": hash_file(tmp_path / "checkpoints/step-1/unet.safetensors"),
    }
    assert names(tmp_path / "checkpoints") == ["step-1"]


def test_an_error_while_filling_it_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged_directory(tmp_path / "d", {}) as staging:
        (staging / "a").write_text("x")
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_every_file_and_folder_is_synced_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def note_sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_rename(self: Path, target: Path) -> Path:
        synced.append("renamed")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    make(tmp_path / "d")
    before, after = synced[: synced.index("renamed")], synced[synced.index("renamed") :]
    assert {"unet.safetensors", "state.json", "inner", MANIFEST} <= set(before)
    assert before.index("unet.safetensors") < before.index(MANIFEST)
    assert before[-1].startswith(STAGING)
    assert after == ["renamed", tmp_path.name]


def test_a_folder_that_is_replaced_comes_back_when_the_new_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "d", b"old", step=1)

    def fail(path: Path) -> dict[str, object]:
        raise DamagedFiles(path, "unet.safetensors", "has other content than was written")

    with monkeypatch.context() as patch:
        patch.setattr(files, "verify_directory", fail)
        with pytest.raises(DamagedFiles):
            make(tmp_path / "d", b"new", step=2)
    assert verify_directory(tmp_path / "d") == {"step": 1}
    assert names(tmp_path) == ["d"]
    make(tmp_path / "d", b"new", step=2)
    assert verify_directory(tmp_path / "d") == {"step": 2}
    assert names(tmp_path) == ["d"]


def test_a_replaced_folder_comes_back_even_where_nothing_can_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "d", b"old", step=1)

    def fail(path: Path) -> dict[str, object]:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(files, "verify_directory", fail)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(OSError, match="Input/output error"):
            make(tmp_path / "d", b"new", step=2)
    assert verify_directory(tmp_path / "d") == {"step": 1}
    sweep_staging(tmp_path)
    assert names(tmp_path) == ["d"]


def test_only_files_and_folders_are_taken(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither"), staged_directory(tmp_path / "d", {}) as staging:
        (staging / "link").symlink_to("/etc/passwd")
    assert names(tmp_path) == []


def test_a_parent_that_vanished_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "run" / "checkpoints" / "step-1")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(b"weightz"), "other content"),
        (lambda path: path.write_bytes(b"weight"), "6 bytes instead of 7"),
        (lambda path: path.write_bytes(b"\0" * 7), "other content"),
        (lambda path: path.unlink(), "missing"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/hostname")), "no regular file"),
    ],
)
def test_damage_is_found_and_the_file_named(tmp_path: Path, damage: object, says: str) -> None:
    make(tmp_path / "d")
    damage(tmp_path / "d" / "unet.safetensors")  # type: ignore[operator]
    with pytest.raises(DamagedFiles, match=f"unet.safetensors.*{says}"):
        verify_directory(tmp_path / "d")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_changed_byte_of_any_file_is_found(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        final = make(Path(folder) / "d", step=1, config_hash="abc")
        path = final / data.draw(st.sampled_from(["unet.safetensors", "inner/state.json", MANIFEST]))
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        try:
            assert verify_directory(final) == {"step": 1, "config_hash": "abc"}  # white space of the manifest
            assert path.name == MANIFEST
        except DamagedFiles:
            pass


def test_a_new_folder_refuses_a_name_in_use_and_removes_what_failed(tmp_path: Path) -> None:
    with new_directory(tmp_path / "run", 0o700) as staging:
        write_atomic(staging / "a", "x")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError), new_directory(tmp_path / "run"):
        pass
    with pytest.raises(FileExistsError), new_directory(tmp_path / "late"):
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "somebody-was-faster").touch()
    with pytest.raises(ZeroDivisionError), new_directory(tmp_path / "other"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["late", "run"]


# --- sweeping ---------------------------------------------------------------------------------------------------


def test_a_sweep_removes_the_dead_and_spares_the_living(tmp_path: Path) -> None:
    (tmp_path / f"{STAGING}dead-1").mkdir()
    (tmp_path / f"{STAGING}dead-1" / "half").write_text("x")
    (tmp_path / f"{STAGING}dead-2").write_text("x")
    (tmp_path / "mine").write_text("x")
    with staged_directory(tmp_path / "d", {}) as staging:
        (staging / "a").write_text("x")
        sweep_staging(tmp_path)
    assert names(tmp_path) == ["d", "mine"]
    sweep_staging(tmp_path / "nowhere")


def test_a_sweep_puts_back_what_a_dead_writer_had_moved_aside(tmp_path: Path) -> None:
    make(tmp_path / "step-1", step=1).rename(tmp_path / f"{REPLACED}step-1-0a0b0c0d")
    sweep_staging(tmp_path)
    assert verify_directory(tmp_path / "step-1") == {"step": 1}
    make(tmp_path / f"{REPLACED}step-1-0a0b0c0d")
    sweep_staging(tmp_path)
    assert names(tmp_path) == ["step-1"]


def test_a_link_among_leftovers_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a").touch()
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / f"{STAGING}link").symlink_to(tmp_path / "precious")
    sweep_staging(tmp_path / "swept")
    assert names(tmp_path / "precious") == ["a"]
    assert names(tmp_path / "swept") == []


def test_a_removed_folder_vanishes_from_its_name_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "d")
    seen: list[bool] = []
    rmtree = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda path: (seen.append((tmp_path / "d").exists()), rmtree(path)))
    remove_directory(tmp_path / "d")
    assert seen == [False]
    assert names(tmp_path) == []


# --- lines ------------------------------------------------------------------------------------------------------


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


# --- room and rights --------------------------------------------------------------------------------------------


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


# --- the protocol under fire ------------------------------------------------------------------------------------

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
