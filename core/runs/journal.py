"""`journal.jsonl`: what happened, one event a line. Written by the one who trains, read by everybody else.

Writing goes through a bounded queue and a thread, so that a stalled disk does not pace the step. Everything but
`Step` is synced to the disk at once, steps each five seconds.
"""

from __future__ import annotations

import functools
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.events import Event, Phase, Step, Warned, decode, encode
from core.files import LineAppender, explain
from core.runs.history import History, Summary, summary
from core.texts import counted, message

__all__ = ["History", "JournalTail", "JournalWriter", "Summary", "read_journal", "summary"]

PIECE = 1 << 20
QUEUE_LIMIT = 10_000
SYNC_SECONDS = 5.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class _Line:
    """One event as it will stand in the file. `urgent` asks for a sync right after it."""

    text: str
    urgent: bool


class JournalWriter:
    """Appends events to the journal at `path` from a thread of its own.

    A journal that cannot be written never stops training: `trouble` says what is wrong (empty when all is well), and
    the writer tries again each second. While that lasts, and more than `limit` events wait, steps and progress are
    left out, which a warning in the journal tells afterwards; nothing else is ever left out. Raises `OSError` if the
    journal cannot be opened to begin with.
    """

    def __init__(
        self, path: Path, *, limit: int = QUEUE_LIMIT, open_file: Callable[[Path], LineAppender] = LineAppender
    ) -> None:
        self.path = path
        self._file = open_file(path)
        self._limit = limit
        self._waiting: queue.SimpleQueue[_Line | threading.Event] = queue.SimpleQueue()
        self._left_out = self._left_out_told = 0
        self._trouble = ""
        self._handing_over = threading.RLock()
        self._ended = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        return self._trouble

    def write(self, event: Event, *, last: bool = False) -> None:
        """Hand `event` over; never waits for the disk. After the `last` one nothing more is taken."""
        line = _Line(encode(event), urgent=not isinstance(event, Step))
        with self._handing_over:
            if self._ended:
                return
            self._ended = last
            if isinstance(event, Step | Phase) and self._waiting.qsize() >= self._limit:
                self._left_out += 1
            else:
                self._waiting.put(line)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was handed over is on the disk; False if that took longer than `timeout` seconds."""
        done = threading.Event()
        self._waiting.put(done)
        return done.wait(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Write what is left and end; False if it could not be written within `timeout` seconds."""
        written = self.flush(timeout)
        self._closing.set()
        self._waiting.put(threading.Event())
        self._thread.join(timeout if written else RETRY_SECONDS)
        if not self._thread.is_alive():  # a thread that hangs in a stalled disk keeps its file, and is a daemon
            self._file.close()
        return written

    def _work(self) -> None:
        synced = time.monotonic()
        dirty = False
        while not self._closing.is_set():
            batch = self._next_batch(SYNC_SECONDS if dirty else None)
            told: list[threading.Event] = []
            urgent = False
            for item in batch:
                if isinstance(item, threading.Event):
                    told.append(item)
                    continue
                if not self._persist(functools.partial(self._file.append, item.text)):
                    return
                dirty = True
                urgent = urgent or item.urgent
            if dirty and (urgent or told or time.monotonic() - synced >= SYNC_SECONDS):
                if not self._persist(self._file.sync):
                    return
                synced, dirty = time.monotonic(), False
            for done in told:
                done.set()

    def _next_batch(self, timeout: float | None) -> list[_Line | threading.Event]:
        """All that waits now; blocks for the first of it up to `timeout` seconds."""
        try:
            batch = [self._waiting.get(timeout=timeout)]
        except queue.Empty:
            return []
        while len(batch) < self._limit:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        left_out = self._left_out - self._left_out_told
        if left_out:
            self._left_out_told += left_out
            batch.append(_Line(encode(_gap(left_out)), urgent=True))
        return batch

    def _persist(self, act: Callable[[], None]) -> bool:
        """Do `act` until it works; False when the writer was closed meanwhile."""
        while True:
            try:
                act()
            except OSError as error:
                self._trouble = str(explain(error, self.path))
                if self._closing.wait(RETRY_SECONDS):
                    return False
            else:
                self._trouble = ""
                return True


def _gap(count: int) -> Warned:
    said = message("journal.gap", "The journal could not be written for a while: {lines} of it were left out. "
                   "Training went on.", lines=counted(count, "line"))  # fmt: skip
    return Warned(code=said.code, message=said.text)


class JournalTail:
    """Reads a journal as it grows. `last_bytes` begins that far from its end instead of at its start.

    A torn last line waits until it is whole; a journal that was replaced by another is read from its start.
    """

    def __init__(self, path: Path, *, last_bytes: int | None = None) -> None:
        self.path = path
        self.behind = False
        self._offset = 0
        self._file_id: tuple[int, int] | None = None
        self._piece = PIECE
        if last_bytes is not None:
            self._start_near_end(last_bytes)

    def poll(self) -> list[Event]:
        """The events of the next piece (1 MB); `behind` says whether more of the file waits. Raises `UserError`
        if the journal is there and cannot be read; one that is not there yet has no events.
        """
        self.behind = False
        try:
            with self.path.open("rb", buffering=0) as file:
                facts = os.fstat(file.fileno())
                self._notice_replacement(facts)
                piece = os.pread(file.fileno(), self._piece, self._offset)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise explain(error, self.path) from error
        whole = piece.rfind(b"\n") + 1
        full = len(piece) == self._piece
        if not whole and full:
            self._piece *= 2  # one line longer than a piece: only a damaged file has that
        else:
            self._piece = PIECE
        self._offset += whole
        self.behind = full and self._offset < facts.st_size
        return [event for line in piece[:whole].split(b"\n") if (event := decode(line)) is not None]

    def rest(self) -> Iterator[Event]:
        """Everything that is there, piece by piece. Raises `UserError`."""
        yield from self.poll()
        while self.behind:
            yield from self.poll()

    def _notice_replacement(self, facts: os.stat_result) -> None:
        file_id = (facts.st_dev, facts.st_ino)
        if self._file_id not in (None, file_id) or facts.st_size < self._offset:
            self._offset = 0
        self._file_id = file_id

    def _start_near_end(self, last_bytes: int) -> None:
        try:
            with self.path.open("rb", buffering=0) as file:
                facts = os.fstat(file.fileno())
                self._offset = max(0, facts.st_size - last_bytes)  # the rest of a cut line decodes to nothing
                self._file_id = (facts.st_dev, facts.st_ino)
        except OSError:
            return  # not there yet, or poll() says why not


def read_journal(path: Path) -> list[Event]:
    """Every event in the journal at `path`, in the order they were said; none if there is no journal."""
    return list(JournalTail(path).rest())
