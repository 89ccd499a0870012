"""One owner for each run, and its heartbeat."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.runs.folder import Run
from core.runs.lock import RunLock, heartbeat_limit, owner
from core.texts import UserError
from tests.runs.conftest import ROOT, Spawn, until


def test_nobody_owns_what_was_never_locked(tmp_path: Path) -> None:
    assert owner(tmp_path / "lock") is None


def test_the_owner_is_known_and_gone_after_release(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    holder = owner(tmp_path / "lock")
    assert holder is not None
    assert (holder.pid, holder.host, holder.alive) == (os.getpid(), os.uname().nodename, True)
    assert holder.heartbeat_age < 5
    assert abs(holder.started - time.time()) < 5
    lock.release()
    assert owner(tmp_path / "lock") is None
    assert (tmp_path / "lock").exists(), "a lock is never unlinked"


def test_a_second_owner_is_refused_with_host_and_pid(tmp_path: Path) -> None:
    first = RunLock(tmp_path / "lock")
    first.acquire()
    began = time.monotonic()
    with pytest.raises(UserError) as refused:
        RunLock(tmp_path / "lock").acquire(wait=0.2)
    assert 0.2 <= time.monotonic() - began < 1
    assert refused.value.code == "run.locked"
    assert str(os.getpid()) in str(refused.value)
    assert os.uname().nodename in str(refused.value)
    assert "dbtui attach" in refused.value.message.advice
    first.release()
    RunLock(tmp_path / "lock").acquire()


def test_of_two_processes_one_trains(run: Run, spawn: Spawn) -> None:
    first = spawn(run, "--slow")
    command = [sys.executable, "-m", "tests.runs.fakes", str(run.home), run.name, "--resume"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert f"{first.pid} on" in second.stderr
    assert first.poll() is None


def test_somebody_who_only_looks_does_not_keep_a_trainer_out(tmp_path: Path) -> None:
    looking = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.3, os.close, [looking]).start()
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    assert lock.held
    lock.release()


def test_looking_does_not_disturb_looking(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    looking = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert owner(tmp_path / "lock") is None
    os.close(looking)


def test_a_killed_owner_is_gone_at_once(run: Run, spawn: Spawn) -> None:
    process = spawn(run, "--slow")
    process.kill()
    process.wait()
    assert owner(run.lock_path) is None
    RunLock(run.lock_path).acquire(wait=0)


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    program = (
        "import os\n"
        "places = [f'/proc/self/fd/{n}' for n in range(3, 50)]\n"
        "print(*[os.readlink(place) for place in places if os.path.lexists(place)])"
    )
    said = subprocess.run([sys.executable, "-c", program], close_fds=False, capture_output=True, text=True, check=True)
    assert "lock" not in said.stdout
    lock.release()


def test_a_lock_kept_by_a_fork_of_a_dead_owner_is_not_alive(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time; from core.runs.lock import RunLock\n"
        "lock = RunLock(pathlib.Path(sys.argv[1]))\n"
        "lock.acquire()\n"
        "if not os.fork(): print(os.getpid(), flush=True); os.close(1); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "lock")], cwd=ROOT, stdout=subprocess.PIPE)
    said, _ = parent.communicate()
    try:
        holder = owner(tmp_path / "lock")
        assert holder is not None
        assert holder.pid == parent.pid
        assert not holder.alive
    finally:
        os.kill(int(said), signal.SIGKILL)


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError):
        RunLock(tmp_path / "lock").acquire()
    with pytest.raises(UserError):
        owner(tmp_path / "lock")
    assert (tmp_path / "precious").read_text() == "mine"


def test_garbage_in_the_lock_is_only_missing_information(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    for garbage in (b"", b"\xff\0", b"[1]", b'{"pid": "x", "started": "y", "host": 3}'):
        (tmp_path / "lock").write_bytes(garbage)
        holder = owner(tmp_path / "lock")
        assert holder is not None
        assert holder.pid == 0


def test_the_heartbeat_is_written_at_most_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    os.utime(tmp_path / "lock", (0, 0))
    now += 0.9
    lock.touch()
    assert (tmp_path / "lock").stat().st_mtime == 0
    now += 0.2
    lock.touch()
    assert time.time() - (tmp_path / "lock").stat().st_mtime < 5


def test_a_stopped_process_is_seen_by_its_old_heartbeat(run: Run, spawn: Spawn) -> None:
    process = spawn(run, "--slow")
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: (holder := owner(run.lock_path)) is not None and holder.heartbeat_age > 1.2)
    os.kill(process.pid, signal.SIGCONT)
    until(lambda: (holder := owner(run.lock_path)) is not None and holder.heartbeat_age < 1)


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_run_that_vanishes_is_noticed_at_the_heartbeat(tmp_path: Path, change: str) -> None:
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    (tmp_path / "lock").unlink()
    if change == "replaced":
        (tmp_path / "lock").touch()
    lock._touched -= 2
    with pytest.raises(UserError) as vanished:
        lock.touch()
    assert vanished.value.code == "run.vanished"


@pytest.mark.parametrize(("median", "limit"), [(None, 30), (0.1, 30), (3.0, 30), (4.0, 40), (60.0, 600)])
def test_stale_is_thirty_seconds_or_ten_steps(median: float | None, limit: float) -> None:
    assert heartbeat_limit(median) == limit
