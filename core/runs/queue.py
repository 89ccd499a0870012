"""Runs that wait their turn: `<home>/queue/`, one small file each, worked off by one process at a time.

The lock beside them is held by the process that works; it goes away with that process, however it ends. An entry
leaves the queue when its run has ended, however that was.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.files import explain, write_atomic
from core.runs import lending
from core.runs.folder import Run
from core.runs.home import home_option
from core.runs.launch import start_process
from core.runs.lock import Owner, owner, taken
from core.texts import UserError, message

LOG = "queue.log"
_ENTRY = re.compile(r"\d{6,}-.+\.json")
_ASKED = "asked.json"
_FILE_BYTES = 64 << 10


@dataclass(frozen=True)
class Waiting:
    """One run that waits, or is trained now. `begun` (unix seconds) is 0 until its turn has come."""

    number: int
    name: str
    added: float
    processes: int = 1
    cards: tuple[str, ...] = ()
    """These alone are seen, a process on each, by their names in CUDA_VISIBLE_DEVICES; empty for all."""
    seconds: float | None = None
    """How long it was thought to take when it was added."""
    begun: float = 0.0

    @property
    def file(self) -> str:
        return f"{self.number:06d}-{self.name}.json"


@dataclass(frozen=True)
class Queue:
    """What waits, in order, and who works it off (`None`: nobody)."""

    entries: tuple[Waiting, ...]
    worker: Owner | None
    ends: bool = False
    """Whether it was asked to end after the run that trains."""

    @property
    def current(self) -> Waiting | None:
        """The run whose turn it is."""
        return next((entry for entry in self.entries if entry.begun), None) if self.worker else None

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        current = self.current
        return tuple(entry for entry in self.entries if entry is not current)

    def place(self, name: str) -> int:
        """1 for the run that comes next, 0 for one that does not wait."""
        return next((place for place, entry in enumerate(self.waiting, 1) if entry.name == name), 0)

    def seconds_left(self, of_current: float | None) -> float | None:
        """Until all are trained, where every run is known to take so long."""
        parts = [entry.seconds for entry in self.waiting]
        if self.current is not None:
            parts.append(of_current)
        return sum(part for part in parts if part is not None) if all(part is not None for part in parts) else None


def queue_directory(home: Path) -> Path:
    return home / "queue"


def lock_path(home: Path) -> Path:
    """Held by the process that works the queue off."""
    return queue_directory(home) / "lock"


def read_queue(home: Path) -> Queue:
    """What stands in the queue now. A damaged file is left where it is and not listed. Raises `UserError`."""
    return Queue(_entries(home), owner(lock_path(home)), asked(home) == "end")


def add(
    home: Path, run: Run, *, processes: int = 1, cards: tuple[str, ...] = (), seconds: float | None = None
) -> Waiting:
    """Let `run` wait its turn; one that was trained before goes on from its last saved state then.

    `seconds` is how long it will take, where that is known. Raises `UserError` where it waits or trains already.
    """
    holder = owner(run.lock_path)
    if holder is not None:
        raise taken(run.lock_path, holder)
    with _changing(home):
        entries = _entries(home)
        if any(entry.name == run.name for entry in entries):
            raise UserError("queue.waits-already", "{name} waits in the queue already.",
                            mend="`dbtui queue list{home}` shows it.", name=run.name,
                            home=home_option(home))  # fmt: skip
        number = max((entry.number for entry in entries), default=0) + 1
        entry = Waiting(number, run.name, time.time(), processes, cards, seconds)
        _write(home, entry)
        return entry


def remove(home: Path, name: str) -> None:
    """Take the run out of the queue; the run itself stays. Raises `UserError` where it does not wait there."""
    with _changing(home):
        queue = Queue(_entries(home), owner(lock_path(home)))
        entry = next((entry for entry in queue.entries if entry.name == name), None)
        if entry is None:
            raise UserError("queue.not-there", "{name} does not wait in the queue.",
                            mend="`dbtui queue list{home}` shows what does.", name=name,
                            home=home_option(home))  # fmt: skip
        _refuse_its_turn(queue, entry, home)
        (queue_directory(home) / entry.file).unlink(missing_ok=True)


def rename_run(run: Run, name: str, version: str) -> Run:
    """Give the run another name: those who use its class pictures find them, and where it waits here, it goes on
    waiting under the new one. Raises `UserError`.
    """
    with _with_entry_of(run) as entry:
        if entry is None:
            return lending.rename(run, name, version)
        prepared, renamed = queue_directory(run.home) / "renaming.json", replace(entry, name=name)
        _put(run.home, prepared.name, asdict(renamed))
        try:
            made = lending.rename(run, name, version)
        except UserError:
            prepared.unlink(missing_ok=True)
            raise
        prepared.rename(prepared.with_name(renamed.file))
        prepared.with_name(entry.file).unlink(missing_ok=True)
        return made


def delete_run(run: Run, version: str) -> None:
    """Delete the run: those who use its class pictures keep them, and where it waits here, it waits no more. Raises
    `UserError`, and then it waits still.
    """
    with _with_entry_of(run) as entry:
        lending.delete(run, version)
        if entry is not None:
            (queue_directory(run.home) / entry.file).unlink(missing_ok=True)


def begin(home: Path, entry: Waiting) -> Waiting | None:
    """Note that its turn has come; `None` where somebody has taken it out meanwhile. For the worker."""
    return _replace(home, entry, replace(entry, begun=time.time()))


def put_back(home: Path, entry: Waiting) -> None:
    """It was interrupted and waits again, before all others. For the worker."""
    _replace(home, entry, replace(entry, begun=0.0))


def drop(home: Path, entry: Waiting) -> None:
    """Its run has ended. For the worker."""
    with _changing(home):
        (queue_directory(home) / entry.file).unlink(missing_ok=True)


def start(home: Path) -> int:
    """Work the queue off in a process of its own that outlives the terminal; its pid once it has begun.

    Raises `UserError` where nothing waits, somebody works already, or it cannot be started.
    """
    queue = read_queue(home)
    if queue.worker is not None:
        raise worked_already(queue.worker, home)
    if not queue.entries:
        raise nothing_waits(home)
    log = queue_directory(home) / LOG
    return start_process(
        [sys.executable, "-P", "-m", "dbtui", "queue", "start", "--home", str(home)], lock_path(home), log,
        lambda how, words: UserError(
            "queue.not-started", "The process that works the queue off {how}. Its last words:\n{words}",
            mend="All of them stand in {log}.", how=how, words=words, log=log),
    )  # fmt: skip


def ask_to_end(home: Path, *, now: bool = False) -> None:
    """Ask the worker to begin no other run; with `now` also to save the one that trains, which then waits again.

    Raises `UserError` where nobody works.
    """
    if owner(lock_path(home)) is None:
        raise UserError("queue.nobody", "Nobody works the queue off now.",
                        mend="`dbtui queue start --background{home}` begins.", home=home_option(home))  # fmt: skip
    _put(home, _ASKED, {"end": "now" if now else "end"})


def take_back(home: Path) -> None:
    """Go on after all. Raises `UserError`."""
    path = queue_directory(home) / _ASKED
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, path) from error


def asked(home: Path) -> str:
    """`end`, `now`, or nothing."""
    held = _read(queue_directory(home) / _ASKED)
    return str(held.get("end", "")) if held else ""


def worked_already(worker: Owner, home: Path) -> UserError:
    return UserError("queue.worked", "The queue is worked off already, by process {pid} on {host}.",
                     mend="What you add to it gets its turn; `dbtui queue stop{home}` ends it.", pid=worker.pid,
                     home=home_option(home),
                     host=worker.host or message("lock.here", "this machine").text)  # fmt: skip


def nothing_waits(home: Path) -> UserError:
    return UserError("queue.empty", "Nothing waits in the queue.",
                     mend="`dbtui queue add RUN.toml{home}` puts a run there.", home=home_option(home))  # fmt: skip


@contextlib.contextmanager
def _with_entry_of(run: Run) -> Iterator[Waiting | None]:
    """Nobody changes the queue meanwhile. Raises `UserError` where the run's turn has come."""
    if not queue_directory(run.home).is_dir():
        yield None
        return
    with _changing(run.home):
        queue = Queue(_entries(run.home), owner(lock_path(run.home)))
        entry = next((entry for entry in queue.entries if entry.name == run.name), None)
        if entry is not None:
            _refuse_its_turn(queue, entry, run.home)
        yield entry


def _refuse_its_turn(queue: Queue, entry: Waiting, home: Path) -> None:
    if entry is queue.current:
        raise UserError("queue.its-turn", "{name} is being trained by the queue.",
                        mend="`dbtui stop {name}{home}` ends it, and the next one begins.", name=entry.name,
                        home=home_option(home))  # fmt: skip


def _entries(home: Path) -> tuple[Waiting, ...]:
    try:
        names = sorted(path.name for path in queue_directory(home).iterdir() if _ENTRY.fullmatch(path.name))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise explain(error, queue_directory(home)) from error
    found = (_entry(_read(queue_directory(home) / name)) for name in names)
    entries = [entry for entry in found if entry is not None]
    return tuple(sorted(entries, key=lambda entry: (not entry.begun, entry.number)))


def _entry(held: dict[str, Any] | None) -> Waiting | None:
    if held is None:
        return None
    number, name, processes, seconds = (held.get(key) for key in ("number", "name", "processes", "seconds"))
    if not (isinstance(number, int) and isinstance(name, str) and isinstance(processes, int)):
        return None
    cards = held.get("cards")
    named = tuple(str(card) for card in cards) if isinstance(cards, list) else ()
    return Waiting(number, name, _figure(held.get("added")) or 0.0, max(1, processes), named, _figure(seconds),
                   _figure(held.get("begun")) or 0.0)  # fmt: skip


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            held = json.loads(file.read(_FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return held if isinstance(held, dict) else None


def _replace(home: Path, before: Waiting, after: Waiting) -> Waiting | None:
    with _changing(home):
        if not (queue_directory(home) / before.file).exists():
            return None
        _write(home, after)
        return after


def _write(home: Path, entry: Waiting) -> None:
    _put(home, entry.file, asdict(entry))


def _put(home: Path, name: str, held: dict[str, Any]) -> None:
    path = queue_directory(home) / name
    try:
        write_atomic(path, json.dumps(held) + "\n")
    except OSError as error:
        raise explain(error, path) from error


@contextlib.contextmanager
def _changing(home: Path) -> Iterator[None]:
    """Nobody else changes the queue meanwhile. Raises `UserError`."""
    folder = queue_directory(home)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(folder / "changing", flags, 0o600)
    except OSError as error:
        raise explain(error, folder) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise explain(error, folder) from error
    finally:
        os.close(descriptor)
