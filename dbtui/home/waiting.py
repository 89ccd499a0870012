"""The queue as home shows it: one line below the list, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.texts import counted, duration_in_words, say
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.runs.queue import Queue
    from dbtui.home.rows import Entry

SHOWN = 8
"""So many of those that wait stand in the question."""


def queue_line(queue: Queue | None, entries: Sequence[Entry]) -> str:
    """`3 runs wait; clock trains now; all done about 04:10.`; empty where there is no queue."""
    if queue is None or not queue.entries:
        return ""
    waiting = len(queue.waiting)
    parts = [say("queue.line.wait", "Queue: {runs} waiting", runs=counted(waiting, "run"))]
    if queue.worker is None:
        parts.append(say("queue.line.nobody", "nobody trains them yet: w starts the queue"))
    elif queue.current is None:
        parts.append(say("queue.line.next", "the next one begins when nothing else trains"))
    else:
        parts.append(say("queue.line.current", "{name} has its turn", name=safe(queue.current.name)))
    if queue.ends:
        parts.append(say("queue.line.ends", "it ends after that"))
    elif queue.worker is not None and (ends := _ends(queue, entries)):
        parts.append(say("queue.line.done", "all done about {moment}", moment=ends))
    if queue.worker is not None:
        parts.append(say("queue.line.more", "w shows more"))
    return say("queue.line", "{parts}.", parts=" · ".join(parts))


def _ends(queue: Queue, entries: Sequence[Entry]) -> str:
    """When all are trained: `04:10`, with the weekday if that is not today."""
    current = queue.current
    name = current.name if current is not None else ""
    seen = next((entry.summary for entry in entries if entry.name == name and entry.summary is not None), None)
    left = seen.seconds_left if seen is not None else None
    seconds = queue.seconds_left(left)
    if seconds is None:
        return ""
    moment = time.localtime(time.time() + seconds)
    return time.strftime("%H:%M" if moment.tm_yday == time.localtime().tm_yday else "%a %H:%M", moment)


def queue_question(queue: Queue, selected: Entry | None) -> Question:
    """Dismissed with `start`, `end`, `interrupt`, `go-on`, `add`, `remove` or `None`."""
    answers: list[Answer] = []
    name = safe(selected.name) if selected is not None else ""
    if queue.entries and queue.worker is None:
        answers.append(Answer("start", "s", say("queue.start", "Start"), say(
            "queue.start.help", "in the background, one after the other")))  # fmt: skip
    if selected is not None and selected.place:
        answers.append(Answer("remove", "r", say("queue.remove", "Take {name} out", name=name),
                              say("queue.remove.help", "the run stays")))  # fmt: skip
    elif selected is not None and can_wait(selected):
        answers.append(Answer("add", "a", say("queue.add", "Add {name} to the queue", name=name)))
    if queue.worker is not None:
        if queue.ends:
            answers.append(Answer("go-on", "g", say("queue.go-on", "Go on after all")))
        elif queue.current is not None:
            answers.append(Answer("end", "e", say("queue.end", "End after this run")))
        what = say("queue.interrupt.nothing", "what waits stays in it")
        if queue.current is not None:
            what = say("queue.interrupt.help", "saves {name}, which waits again", name=safe(queue.current.name))
        answers.append(Answer("interrupt", "i", say("queue.interrupt", "End the queue now"), what))
    listing = _listing(queue)
    if queue.waiting and not (selected is not None and selected.place):
        how = say("queue.listing.how", "To take one out: Esc, the cursor on it in the list of runs, then w.")
        listing = f"{listing}\n\n{how}"
    return Question(say("queue.title", "The queue"), listing, answers)


def can_wait(entry: Entry) -> bool:
    """Whether it can be put into the queue as it is."""
    from dbtui.home.rows import RESUMABLE

    return entry.draft is None and entry.state in RESUMABLE and not entry.place


def _listing(queue: Queue) -> str:
    if not queue.entries:
        return say("queue.listing.none", "Nothing waits. Runs that wait here are trained one after the other, over "
                   "night for example.")  # fmt: skip
    lines = []
    if queue.current is not None:
        lines.append(say("queue.listing.current", "►  {name} trains now", name=safe(queue.current.name)))
    for entry in queue.waiting[:SHOWN]:
        takes = ""
        if entry.seconds is not None:
            takes = say("queue.listing.takes", "  about {time}", time=duration_in_words(entry.seconds))
        lines.append(f"»  {safe(entry.name)}{takes}")  # no number: those are keys of the answers
    if len(queue.waiting) > SHOWN:
        lines.append(say("queue.listing.more", "and {count} more", count=len(queue.waiting) - SHOWN))
    return "\n".join(lines)
