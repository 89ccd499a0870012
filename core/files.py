"""Durable writes: atomic, synced, verified. Checkpoints, caches, exports and runs all write through this file.

A folder is written beside its final name, each file is synced, `MANIFEST.json` (size and sha256 of each file) comes
last, then the folder is renamed, its parent synced, and all of it is read back. Whatever instant the machine dies
at, the final name holds either nothing, the old content, or all of the new content.

Errors of the operating system leave as `OSError`; `explain` turns one into a sentence for people.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.reasons import of_system
from core.texts import UserError, say

MANIFEST = "MANIFEST.json"
STAGING = ".staging-"
REPLACED = ".replaced-"
PIECE = 1 << 20


class DamagedFiles(UserError):
    """A folder that no longer holds what its manifest says."""

    def __init__(self, path: Path, file: str, reason: str) -> None:
        super().__init__(
            "files.damaged",
            "{path} is damaged: {file} {reason}.",
            mend="Something changed it after it was written, or the disk failed. Use an older one; this one can be "
            "deleted.",
            path=path,
            file=file,
            reason=reason,
        )


def write_atomic(path: Path, data: bytes | str) -> None:
    """Put `data` at `path`: whole and durable when this returns, else the old content is untouched.

    Text is written as UTF-8. The file gets the mode that the user's umask asks for. Raises `OSError`.
    """
    content = data.encode() if isinstance(data, str) else data
    staging = _beside(path, STAGING, path.name[:40])
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        staging.rename(path)
    except BaseException:
        _remove(staging)
        raise
    sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the content of the file at `path` is on the disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Wait until the names in the folder at `path` are on the disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hash_file(path: Path, *, from_disk: bool = False) -> str:
    """The sha256 of a file in hexadecimal. `from_disk` reads past the system's cache where it can. Raises `OSError`."""
    digest = hashlib.sha256()
    piece = memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        if from_disk and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while count := file.readinto(piece):
            digest.update(piece[:count])
    return digest.hexdigest()


@contextlib.contextmanager
def staged_directory(final: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """Write a folder whole or not at all: `with staged_directory(final, {"step": 100}) as staging: …`.

    Everything put into `staging` (regular files and folders) is at `final` after the block, durable and verified,
    with a `MANIFEST.json` that carries the fields of `manifest`. A folder that was there before is replaced, and
    comes back if anything fails. An error inside the block, or a disk that fails, leaves no trace. Of missing
    parents only the last is made. Raises `OSError` or `DamagedFiles`.
    """
    if not final.parent.is_dir():
        final.parent.mkdir()
        sync_directory(final.parent.parent)
    staging = _beside(final, STAGING, final.name)
    staging.mkdir(0o777)
    with _held(staging):
        try:
            yield staging
            _seal(staging, manifest)
            _install(staging, final)
        except BaseException:
            _remove(staging)
            raise


@contextlib.contextmanager
def staged_file(final: Path) -> Iterator[Path]:
    """Write a large file whole or not at all: what the block writes to the yielded path is then at `final`, durable.

    A file that was there before is replaced only then. An error inside the block leaves no trace. Raises `OSError`.
    """
    staging = _beside(final, STAGING, final.name[:40])
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    os.close(descriptor)
    with _held(staging):
        try:
            yield staging
            sync_file(staging)
            staging.rename(final)
        except BaseException:
            _remove(staging)
            raise
    sync_directory(final.parent)


@contextlib.contextmanager
def new_directory(final: Path, mode: int = 0o777) -> Iterator[Path]:
    """Make a folder that appears under its final name with all that the block puts into the yielded one, or not at all.

    Files in it are the block's to sync (`write_atomic` does). Raises `FileExistsError` if the name is in use.
    """
    if os.path.lexists(final):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
    staging = _beside(final, STAGING, final.name)
    staging.mkdir(mode)
    with _held(staging):
        try:
            yield staging
            sync_directory(staging)
            staging.rename(final)
        except BaseException as error:
            _remove(staging)
            if isinstance(error, OSError) and error.errno == errno.ENOTEMPTY:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from error
            raise
    sync_directory(final.parent)


def remove_directory(path: Path) -> None:
    """Remove a folder at once under its name, then its content: killed half-way it leaves no half folder.

    Raises `OSError`; what remains then is taken by the next sweep.
    """
    doomed = _beside(path, STAGING, path.name)
    with _held(path):
        path.rename(doomed)
        sync_directory(path.parent)
        shutil.rmtree(doomed)


def verify_directory(path: Path) -> dict[str, Any]:
    """Read every file that the manifest of `path` lists and compare; returns the manifest's own fields.

    Raises `DamagedFiles` naming the first file that is missing, cut short, changed or unreadable.
    """
    manifest = _read_manifest(path)
    for name, expected in manifest["files"].items():
        file = path / name
        try:
            if not stat.S_ISREG(os.lstat(file).st_mode):
                raise DamagedFiles(path, name, say("files.no-file", "is no regular file"))
            size = file.stat().st_size
            if size != expected["bytes"]:
                raise DamagedFiles(path, name, say("files.size", "has {size:,} bytes instead of {expected:,}",
                                                   size=size, expected=expected["bytes"]))  # fmt: skip
            if hash_file(file, from_disk=True) != expected["sha256"]:
                raise DamagedFiles(path, name, _changed())
        except FileNotFoundError as error:
            raise DamagedFiles(path, name, say("files.missing", "is missing")) from error
        except OSError as error:
            raise DamagedFiles(path, name, _unreadable(error)) from error
    extra: dict[str, Any] = manifest["extra"]
    return extra


def sweep_staging(parent: Path) -> None:
    """Remove what writers that died left in `parent`, and put back what one had moved aside. Living ones are spared."""
    if not parent.is_dir():
        return
    for path in sorted(parent.iterdir()):
        if path.name.startswith((STAGING, REPLACED)):
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                _sweep(path)


def _sweep(leftover: Path) -> None:
    if leftover.is_symlink():
        leftover.unlink()
        return
    with _held(leftover, wait=False):
        original = leftover.with_name(leftover.name.removeprefix(REPLACED).rpartition("-")[0])
        if leftover.name.startswith(STAGING) or original.exists():
            _remove(leftover)
        else:
            leftover.rename(original)
            sync_directory(original.parent)


class LineAppender:
    """A file of lines that only grows. A torn last line (power cut) is cut off when it is opened.

    Several processes may append to one file: each line is whole. Raises `OSError`; a line that could not be
    written leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o666)
        try:
            with self._alone():
                if os.fstat(self._descriptor).st_size == 0:
                    sync_directory(path.parent)
                else:
                    self._cut_torn_line()
        except BaseException:
            self.close()
            raise

    def append(self, line: str) -> None:
        """Add `line` (without a newline in it). Lone surrogates become `\\udcff`, which is their escape in JSON."""
        if "\n" in line:
            raise ValueError(f"a line break inside a line: {line!r}")
        with self._alone():
            start = os.lseek(self._descriptor, 0, os.SEEK_END)
            try:
                _write_all(self._descriptor, (line + "\n").encode("utf-8", "backslashreplace"))
            except BaseException:
                with contextlib.suppress(OSError):  # what stays is a torn line, which readers skip
                    os.ftruncate(self._descriptor, start)
                raise

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _cut_torn_line(self) -> None:
        end = os.fstat(self._descriptor).st_size
        position = end
        while position:
            count = min(PIECE, position)
            newline = os.pread(self._descriptor, count, position - count).rfind(b"\n")
            if newline >= 0:
                position = position - count + newline + 1
                break
            position -= count
        if position < end:
            os.ftruncate(self._descriptor, position)


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write where `path` is or will be. Raises `OSError`."""
    facts = os.statvfs(_nearest(path))
    return facts.f_bavail * facts.f_frsize


def probe_writable(path: Path) -> None:
    """Write, sync, rename and remove a small file where `path` is or will be made. `UserError` with the reason."""
    folder = _nearest(path)
    probe = _beside(folder / "probe", STAGING, "probe")
    renamed = _beside(folder / "probe", STAGING, "probe")
    try:
        if not folder.is_dir():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
        try:
            write_atomic(probe, b"dbtui looks whether it can write here\n")
            probe.rename(renamed)
        finally:
            _remove(probe)
            _remove(renamed)
    except OSError as error:
        raise explain(error, folder) from error


def explain(error: OSError, where: Path | str) -> UserError:
    """The sentence for people that belongs to a failed write or read at `where`."""
    number = error.errno
    reason = of_system(error)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UserError("disk.full", "There is no room left to write to {where} ({reason}).",
                         mend="Free some space (old runs: `dbtui runs`, `dbtui delete NAME`), or put the runs on "
                         "another disk with --home.", where=where, reason=reason)  # fmt: skip
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UserError("disk.read-only", "{where} cannot be written to ({reason}).",
                         mend="Choose a folder that belongs to you, for example with --home, or change its "
                         "permissions.", where=where, reason=reason)  # fmt: skip
    if number == errno.EIO:
        return UserError("disk.broken", "The disk failed while {where} was used ({reason}).",
                         mend="Copy what matters to another disk and look at the system's log; this disk may be "
                         "dying.", where=where, reason=reason)  # fmt: skip
    if number == errno.EEXIST:
        return UserError("disk.in-the-way", "{where} should be a folder, but a file stands there or on the way to it.",
                         mend="Choose another folder, or move the file away.", where=where)  # fmt: skip
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return UserError("disk.missing", "{where} is missing, or a part of its path is no folder ({reason}).",
                         mend="Check the path, and whether the disk is still connected.", where=where,
                         reason=reason)  # fmt: skip
    return UserError("disk.failed", "The system refused to use {where}: {reason}.", mend="Check the path and the disk.",
                     where=where, reason=reason)  # fmt: skip


def _seal(staging: Path, extra: Mapping[str, Any]) -> None:
    """Sync and hash all that lies in `staging`, give it the umask's modes, and write the manifest last."""
    folder_mode = stat.S_IMODE(staging.stat().st_mode)
    files: dict[str, dict[str, Any]] = {}
    folders: list[Path] = []
    for path in sorted(staging.rglob("*")):
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            path.chmod(folder_mode)
            folders.append(path)
        elif stat.S_ISREG(mode):
            path.chmod(folder_mode & 0o666)
            sync_file(path)
            name = path.relative_to(staging).as_posix()
            files[name] = {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        else:
            raise ValueError(f"{path} is neither a file nor a folder")
    for folder in reversed(folders):
        sync_directory(folder)
    content = {"files": files, "extra": dict(extra)}
    text = json.dumps({"sha256": _digest(content), **content}, indent=1, allow_nan=False)
    descriptor = os.open(staging / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(staging)


def _install(staging: Path, final: Path) -> None:
    """Rename, sync the parent, read back; only then drop what was there before."""
    if not os.path.lexists(final):
        _rename_and_verify(staging, final)
        return
    aside = _beside(final, REPLACED, final.name)
    with _held(final):
        final.rename(aside)
        try:
            _rename_and_verify(staging, final)
        except BaseException:
            aside.rename(final)
            raise
        _remove(aside)


def _rename_and_verify(staging: Path, final: Path) -> None:
    staging.rename(final)
    try:
        sync_directory(final.parent)
        verify_directory(final)
    except BaseException:
        final.rename(staging)  # needs no room and opens nothing, so it works where removing fails
        raise


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        content = {"files": manifest["files"], "extra": manifest["extra"]}
        if manifest["sha256"] != _digest(content):
            raise DamagedFiles(path, MANIFEST, _changed())
    except FileNotFoundError as error:
        raise DamagedFiles(path, MANIFEST, say("files.missing", "is missing")) from error
    except OSError as error:
        raise DamagedFiles(path, MANIFEST, _unreadable(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFiles(path, MANIFEST, say("files.strange", "cannot be understood")) from error
    return content


def _unreadable(error: OSError) -> str:
    return say("files.unreadable", "cannot be read ({reason})", reason=of_system(error))


def _changed() -> str:
    return say("files.changed", "has other content than was written")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _beside(path: Path, prefix: str, name: str) -> Path:
    return path.with_name(f"{prefix}{name}-{secrets.token_hex(4)}")


def _nearest(path: Path) -> Path:
    """`path` or the nearest of its parents that exists."""
    path = path.absolute()
    return next((candidate for candidate in (path, *path.parents) if os.path.lexists(candidate)), path)


@contextlib.contextmanager
def _held(path: Path, *, wait: bool = True) -> Iterator[None]:
    """While this is open, no sweep takes `path` for a leftover. Without `wait`: `BlockingIOError` if it is in use."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Best effort: what cannot be removed now is removed by the next sweep."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
