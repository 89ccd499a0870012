"""Durable writes: nothing half-written under a final name, whatever fails and whenever."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
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
    hash_file,
    new_directory,
    remove_directory,
    staged_directory,
    sweep_staging,
    verify_directory,
    write_atomic,
)
from tests.written import make, names


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
