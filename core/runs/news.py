"""Which runs have ended since one last looked, for whoever looks again and again."""

from __future__ import annotations

from collections.abc import Iterable

from core.events import Done, Failed, Stopped
from core.runs.overview import Listed

Ending = Stopped | Done | Failed


class News:
    """An end counts as seen by its moment: a run that is given another name has not ended anew."""

    def __init__(self) -> None:
        self._seen: set[float] | None = None
        self._unread: set[str] = set()

    def of(self, runs: Iterable[Listed]) -> list[tuple[str, Ending]]:
        """Name and end of those that have ended since the last call; nothing at the first."""
        ended: list[tuple[str, Ending]] = []
        before, unread = self._seen, self._unread
        self._seen, self._unread = set(before or ()), set()
        for run in runs:
            if run.summary is None:
                self._unread.add(run.name)
            elif (ending := run.summary.ending) is not None and ending.time not in self._seen:
                self._seen.add(ending.time)
                if before is not None and run.name not in unread:
                    ended.append((run.name, ending))
        return ended
