"""What one line of the list of runs says, in words and marks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from core.texts import duration_in_words
from dbtui.commandline import command_line
from dbtui.safe import safe
from dbtui.states import STATES

if TYPE_CHECKING:
    from core.runs.journal import Summary
    from dbtui.drafts import Draft

RESUMABLE = ("new", "stopped", "failed", "lost")


@dataclass(frozen=True)
class Entry:
    """A run (`summary` is None until it was read) or a draft."""

    name: str
    summary: Summary | None = None
    draft: Draft | None = None
    trouble: str = ""

    @property
    def id(self) -> str:
        return f"draft-{self.draft.id}" if self.draft else f"run-{self.name}"

    @property
    def state(self) -> str:
        if self.draft is not None:
            return "draft"
        if self.trouble:
            return "unreadable"
        return self.summary.state if self.summary else "unknown"

    @property
    def is_alive(self) -> bool:
        """Whether some process trains it now."""
        return self.state not in (*RESUMABLE, "done", "draft", "unknown", "unreadable")


def line(entry: Entry, width: int) -> Content:
    """The entry in one line of `width` cells: mark and state, name, progress, loss, when."""
    mark, words, colour = STATES.get(entry.state, ("►", entry.state, "$foreground"))
    name_width = max(8, min(40, width - 62))
    name = entry.name or "no name yet"
    progress, loss, when = _figures(entry)
    return Content.assemble(
        (f" {mark} {words:<15}", colour), (_fitted(safe(name), name_width), "bold"), "  ",
        f"{progress:<24}", f"{loss:>7}", (f"  {when:>9}", "$foreground-muted"),
    )  # fmt: skip


def heads(width: int) -> str:
    """The titles over `line`."""
    return f"   {'State':<15}{'Run':<{max(8, min(40, width - 62))}}  {'Progress':<24}{'Loss':>7}  {'Changed':>9}"


def bar(done: int, total: int, cells: int) -> str:
    """`━━━───` with as many heavy cells as the share that is done."""
    heavy = round(cells * done / total) if total else 0
    return "━" * heavy + "─" * (cells - heavy)


def _figures(entry: Entry) -> tuple[str, str, str]:
    if entry.draft is not None:
        return f"at {entry.draft.step.capitalize()}", "", ago(entry.draft.changed)
    seen = entry.summary
    if seen is None:
        return "", "", ""
    step, total = seen.step or 0, seen.total or 0
    progress = f"{bar(step, total, 9)} {step:,}/{total:,}" if total else "no step yet"
    loss = f"{seen.loss:.4f}" if seen.loss is not None else ""
    return progress, loss, ago(seen.updated or 0.0)


def ago(moment: float) -> str:
    """How long ago in a word or two: `now`, `5 min`, `3 h`, `12 d`."""
    if not moment:
        return ""
    passed = time.time() - moment
    if passed < 60:
        return "now"
    if passed < 3600:
        return f"{passed // 60:.0f} min"
    return f"{passed // 3600:.0f} h" if passed < 86400 else f"{passed // 86400:.0f} d"


def _fitted(text: str, width: int) -> str:
    content = Content(text)
    if content.cell_length > width:
        content = content.truncate(width, ellipsis=True)
    return content.plain + " " * (width - content.cell_length)


def longer(name: str, home: Path) -> str:
    """How a finished run is trained on."""
    return f"Longer: {command_line(f'train {name} --resume --set intervals.epochs=…', home)}"


def describe(entry: Entry) -> str:
    """What the selected entry is and what can be done with it: two or three short lines."""
    if entry.draft is not None:
        return "A run that is not yet made. Enter goes on where you left it; d deletes it."
    seen = entry.summary
    if seen is None:
        return entry.trouble
    where, home = safe(seen.folder), Path(seen.folder).parent.parent
    left = ""
    if seen.silence is not None:
        return f"No sign of life for {duration_in_words(seen.silence)} from process {seen.pid}. It may hang.\n{where}"
    if entry.is_alive and seen.speed and seen.total:
        left = f" {seen.speed:.2f} pictures a second."
    told = {
        "new": "Made, but not yet trained. r starts it.",
        "stopped": "Stopped with its state kept. r trains on from there, e exports the model as it is.",
        "failed": "Ended with an error: Enter shows what happened. r tries again from the last saved state.",
        "lost": "The process that trained it is gone (killed, or the power went). r goes on from the last saved state.",
        "done": f"Trained to the end. e exports the model, Enter shows how it went.\n{longer(entry.name, home)}",
        "paused": "Paused: it waits, holding its memory. Enter opens its monitor, p goes on there.",
    }
    return f"{told.get(entry.state, 'Training now. Enter opens its monitor.' + left)}\n{where}"
