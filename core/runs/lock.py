"""One owner for each run: a `flock` held by the process that trains it, and its heartbeat.

The file is never removed: two processes could otherwise hold locks on two files of one name. Its text says who holds
it and is information only; the lock itself goes away with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.files import explain
from core.runs.home import home_option
from core.texts import UserError, say

HEARTBEAT_SECONDS = 1.0
STALE_SECONDS = 30.0
STALE_STEPS = 10

_RETRY_SECONDS = 0.05
_TEXT_BYTES = 4096
_NAME_TRIES, _NAME_SECONDS = 10, 0.01


@dataclass(frozen=True)
class Owner:
    """Who trains a run. `started` in unix seconds; `heartbeat_age` in seconds since it last gave a sign of life.

    `alive` is False where the lock is held but its process is gone from this machine (a child of it lives on).
    `pid` is 0 where the lock's text does not tell it. `trains` is False for one that only changes what the run is.
    """

    pid: int
    host: str
    started: float
    heartbeat_age: float
    alive: bool
    trains: bool = True


def heartbeat_limit(median_step: float | None) -> float:
    """Seconds without a heartbeat after which an owner counts as hung, from the usual seconds of a step."""
    return max(STALE_SECONDS, STALE_STEPS * median_step if median_step else 0.0)


def owner(path: Path) -> Owner | None:
    """Who holds the lock at `path`; `None` if nobody does. Raises `UserError` if it cannot be looked at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explain(error, path) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _named_owner(descriptor)
        return None
    except OSError as error:
        raise explain(error, path) from error
    finally:
        os.close(descriptor)


class RunLock:
    """The right to train a run, or (not `trains`) to change it for an instant. Take it with `acquire`, show life with
    `touch`, give it back with `release`.
    """

    def __init__(self, path: Path, *, trains: bool = True) -> None:
        self.path = path
        self._trains = trains
        self._descriptor = -1
        self._touched = 0.0

    @property
    def held(self) -> bool:
        return self._descriptor >= 0

    def acquire(self, wait: float = 1.0, before_each_try: Callable[[], None] | None = None) -> None:
        """Take the lock, trying for `wait` seconds: somebody who only looks may hold it for an instant.

        What `before_each_try` notes was true the instant before anybody could see the lock held. Raises `UserError`
        naming the owner's host and pid.
        """
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise explain(error, self.path) from error
        try:
            self._take(descriptor, time.monotonic() + wait, before_each_try)
            _write_owner(descriptor, trains=self._trains)
        except OSError as error:
            os.close(descriptor)
            raise explain(error, self.path) from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._touched = time.monotonic()

    def touch(self) -> None:
        """The heartbeat: cheap, and written at most once a second.

        Raises `UserError` when the run's folder is gone or another one stands in its place.
        """
        now = time.monotonic()
        if now - self._touched < HEARTBEAT_SECONDS:
            return
        self._touched = now
        try:
            same = _is_same(self._descriptor, self.path)
            if same:
                os.utime(self._descriptor)
        except OSError as error:
            raise explain(error, self.path) from error
        if not same:
            raise _vanished(self.path)

    def release(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child between fork and exec holds a duplicate for an instant
            os.close(descriptor)

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, descriptor: int, deadline: float, before_each_try: Callable[[], None] | None) -> None:
        while True:
            if before_each_try is not None:
                before_each_try()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise taken(self.path, _named_owner(descriptor)) from None
                time.sleep(_RETRY_SECONDS)
        if not _is_same(descriptor, self.path):
            raise _vanished(self.path)


def taken(path: Path, holder: Owner) -> UserError:
    """Why the lock at `path` cannot be had."""
    name = path.parent.name
    return UserError(
        "run.locked",
        "The run {name} is in the hands of another process: {pid} on {host}.",
        mend="Watch it with `dbtui attach {name}{home}`, or end it with `dbtui stop {name}{home}` first.",
        name=name,
        home=home_option(path.parents[2]),
        pid=holder.pid or say("lock.unknown", "unknown"),
        host=holder.host or say("lock.here", "this machine"),
    )


def _vanished(path: Path) -> UserError:
    return UserError(
        "run.vanished",
        "The folder of the run, {path}, is gone or was replaced while it was in use.",
        mend="Was it moved or deleted, or its disk disconnected? Put it back and resume.",
        path=path.parent,
    )


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _write_owner(descriptor: int, *, trains: bool) -> None:
    pid = os.getpid()
    facts = {
        "pid": pid,
        "host": socket.gethostname(),
        "started": time.time(),
        "boot": _boot_id(),
        "process_started": _process_started(pid),
        "trains": trains,
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(facts).encode() + b"\n", 0)


def _named_owner(descriptor: int) -> Owner:
    """The owner; one that took the lock this instant gets a moment to write its name."""
    holder = _read_owner(descriptor)
    for _ in range(_NAME_TRIES):
        if holder.pid:
            break
        time.sleep(_NAME_SECONDS)
        holder = _read_owner(descriptor)
    return holder


def _read_owner(descriptor: int) -> Owner:
    facts: dict[str, Any] = {}
    try:
        read = json.loads(os.pread(descriptor, _TEXT_BYTES, 0))
        if isinstance(read, dict):
            facts = read
    except ValueError:  # the owner is about to write it
        pass
    age = max(0.0, time.time() - os.fstat(descriptor).st_mtime)
    pid, started = facts.get("pid"), facts.get("started")
    return Owner(
        pid=pid if isinstance(pid, int) else 0,
        host=str(facts.get("host", "")),
        started=float(started) if isinstance(started, int | float) else 0.0,
        heartbeat_age=age,
        alive=_is_alive(facts),
        trains=facts.get("trains") is not False,
    )


def _is_alive(facts: dict[str, Any]) -> bool:
    if facts.get("boot") != _boot_id() or facts.get("host") != socket.gethostname():
        return True  # another machine or a name not yet written: the lock is all that can be known
    started = _process_started(int(facts["pid"])) if isinstance(facts.get("pid"), int) else None
    return started is not None and started == facts.get("process_started")


def _process_started(pid: int) -> float | None:
    """When the process began, or `None` if there is none (a zombie has let go of its files: it counts as gone)."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.Error, ValueError, OverflowError):
        return None


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
