"""Reading what a run has done since the last look: in a thread, for a slow disk holds no key up."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.events import Event
from core.runs.journal import JournalTail
from core.runs.lock import Owner, owner
from core.texts import Message, UserError

if TYPE_CHECKING:
    from core.runs.folder import Run
    from dbtui.monitor.overlay import Overlay


@dataclass(frozen=True)
class Seen:
    """What one look found. `trouble` is what kept it from finding all; `holder` counts only where `knows_holder`.
    `waits`: its turn in the queue comes. `behind`: more of the journal waits. `others` are the events of the run that
    is drawn behind.
    """

    happened: Sequence[Event] = ()
    holder: Owner | None = None
    knows_holder: bool = False
    has_exports: bool = False
    waits: bool = False
    trouble: Message | None = None
    behind: bool = False
    others: Sequence[Event] = ()


class Watch:
    """Follows `run`. One thread at a time may `read`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._tail = JournalTail(run.journal_path)

    def read(self, overlay: Overlay | None = None) -> Seen:
        """Who holds the run first, then what the journal has gained: a run that ends in between is not taken for one
        whose process was lost.
        """
        holder, knows_holder = None, False
        try:
            holder, knows_holder = owner(self.run.lock_path), True
            happened = self._tail.poll()
            has_exports = any(self.run.exports.glob("[!.]*"))
        except UserError as error:
            return Seen(holder=holder, knows_holder=knows_holder, trouble=error.message)
        others = overlay.poll() if overlay is not None and not self._tail.behind else ()
        waits = holder is None and self._waits()
        return Seen(happened, holder, True, has_exports, waits, None, self._tail.behind, others)

    def _waits(self) -> bool:
        from core.runs.queue import read_queue

        with contextlib.suppress(UserError):  # the list of runs says what is wrong with the queue
            return bool(read_queue(self.run.home).place(self.run.name))
        return False
