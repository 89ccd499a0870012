"""Every run of a home at a glance, read again and again: what has not changed is not read twice."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from core.runs.folder import Run, list_runs
from core.runs.history import Summary, summary
from core.runs.lock import owner
from core.runs.queue import Queue, read_queue
from core.texts import Message, UserError

MEASURE_AGAIN_SECONDS = 30.0
"""How old the size of a run may be that is written to all the time."""

_Mark = tuple[int, int, int]
_Places = tuple[_Mark | None, ...]


@dataclass(frozen=True)
class Listed:
    """One run. `trouble` says why there is no summary; `place` is 1 for the one that comes next in the queue, 0 for one
    that does not wait; `bytes` is `None` until the folder was measured.
    """

    name: str
    summary: Summary | None
    trouble: Message | None = None
    place: int = 0
    bytes: int | None = None


class Overview:
    """`read` is quick, `measure` reads every folder: it belongs into a thread of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._summaries: dict[str, tuple[_Mark, Summary]] = {}
        self._sizes: dict[str, tuple[_Places, float, int]] = {}

    def read(self) -> tuple[list[Listed], Queue]:
        """Every run, and the queue. Raises `UserError` where the home cannot be read."""
        queue = read_queue(self.home)
        return [self._listed(run, queue) for run in list_runs(self.home)], queue

    def measure(self) -> bool:
        """Sum up the folders that have changed; whether any size is another now."""
        changed = False
        for run in list_runs(self.home):
            places = _places(run)
            known = self._sizes.get(run.name)
            if known is not None and (known[0] == places or self._is_fresh(run, known[1])):
                continue
            size = folder_bytes(run.path)
            changed |= known is None or known[2] != size
            self._sizes[run.name] = (places, time.monotonic(), size)
        return changed

    def _is_fresh(self, run: Run, measured: float) -> bool:
        """Whether a size measured then is good enough: that of a run that ended has to be right at once."""
        try:
            return time.monotonic() - measured < MEASURE_AGAIN_SECONDS and owner(run.lock_path) is not None
        except UserError:
            return False

    def _listed(self, run: Run, queue: Queue) -> Listed:
        size = self._sizes.get(run.name)
        trouble = None
        seen = None
        try:
            seen = self._summary(run)
        except UserError as error:
            trouble = error.message
        return Listed(run.name, seen, trouble, queue.place(run.name), size[2] if size else None)

    def _summary(self, run: Run) -> Summary:
        """From memory where nobody trains the run and nothing was written since."""
        mark = _mark(run)
        known = self._summaries.get(run.name)
        if known is not None and mark is not None and known[0] == mark and owner(run.lock_path) is None:
            return known[1]
        seen = summary(run)
        if mark is not None and not seen.pid:
            self._summaries[run.name] = (mark, seen)
        else:
            self._summaries.pop(run.name, None)
        return seen


def folder_bytes(path: Path) -> int:
    """What the files below `path` hold together. What goes away meanwhile, or cannot be read, counts nothing."""
    total = 0
    waiting = [str(path)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            total += entry.stat(follow_symlinks=False).st_size
                    except OSError:
                        continue
        except OSError:
            continue
    return total


def _mark(run: Run) -> _Mark | None:
    """Another one whenever the journal was written to."""
    return _mark_of(run.journal_path)


def _places(run: Run) -> _Places:
    """Another one whenever something was written, exports and what is deleted by hand included: neither stands in the
    journal.
    """
    return tuple(map(_mark_of, (run.journal_path, run.path, run.exports, run.checkpoints, run.samples)))


def _mark_of(path: Path) -> _Mark | None:
    try:
        held = path.stat()
    except OSError:
        return None
    return held.st_ino, held.st_size, held.st_mtime_ns
