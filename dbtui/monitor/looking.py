"""Reading what a run has done since the last look: in a thread, for a slow disk holds no key up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.events import Event
from core.runs.journal import JournalTail
from core.runs.lock import Owner, owner
from core.runs.queue import read_queue
from core.texts import Message, UserError

if TYPE_CHECKING:
    from core.runs.folder import Run
    from dbtui.monitor.overlay import Overlay


@dataclass(frozen=True)
class Seen:
    """What one look found. `trouble` is what kept it from finding all; `holder` counts only where `knows_holder`.
    `behind`: more of the journal waits. `others` are the events of the run that is drawn behind. `waits`: it was never
    begun, and stands in the queue.
    """

    happened: Sequence[Event] = ()
    holder: Owner | None = None
    knows_holder: bool = False
    has_exports: bool = False
    trouble: Message | None = None
    behind: bool = False
    others: Sequence[Event] = ()
    waits: bool = False


class Watch:
    """Follows `run`. One thread at a time may `read`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._tail = JournalTail(run.journal_path)
        self._is_new = True

    def read(self, overlay: Overlay | None = None) -> Seen:
        """Who holds the run first, then what the journal has gained: a run that ends in between is not taken for one
        whose process was lost.
        """
        holder, knows_holder = None, False
        try:
            holder, knows_holder = owner(self.run.lock_path), True
            happened = self._tail.poll()
            has_exports = any(self.run.exports.glob("[!.]*"))
            self._is_new = self._is_new and not happened
            waits = self._is_new and any(entry.name == self.run.name for entry in read_queue(self.run.home).waiting)
        except UserError as error:
            return Seen(holder=holder, knows_holder=knows_holder, trouble=error.message)
        others = overlay.poll() if overlay is not None and not self._tail.behind else ()
        return Seen(happened, holder, True, has_exports, None, self._tail.behind, others, waits)
