"""What one line of the list of runs says, in words and marks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from core.texts import Texts, duration_in_words, say
from dbtui.commandline import command_line
from dbtui.safe import safe
from dbtui.states import STATES
from dbtui.widths import fitted, flush_right
from dbtui.wizard.steps import STEPS

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
    name = entry.name or say("home.no-name", "no name yet")
    progress, loss, when = _figures(entry)
    return Content.assemble(
        (f" {mark} {fitted(words, 15)}", colour), (fitted(safe(name), name_width), "bold"), "  ",
        fitted(progress, 24), f"{loss:>7}", (f"  {flush_right(when, 9)}", "$foreground-muted"),
    )  # fmt: skip


def heads(width: int) -> str:
    """The titles over `line`."""
    state, run = say("home.state", "State"), say("home.run", "Run")
    progress, loss, changed = (
        say("home.progress", "Progress"), say("home.loss", "Loss"), say("home.changed", "Changed"),
    )  # fmt: skip
    return (f"   {fitted(state, 15)}{fitted(run, max(8, min(40, width - 62)))}  {fitted(progress, 24)}"
            f"{flush_right(loss, 7)}  {flush_right(changed, 9)}")  # fmt: skip


def bar(done: int, total: int, cells: int) -> str:
    """`━━━───` with as many heavy cells as the share that is done."""
    heavy = round(cells * done / total) if total else 0
    return "━" * heavy + "─" * (cells - heavy)


def _figures(entry: Entry) -> tuple[str, str, str]:
    if entry.draft is not None:
        step = STEPS.get(entry.draft.step, entry.draft.step)
        return say("home.draft-at", "at {step}", step=step), "", ago(entry.draft.changed)
    seen = entry.summary
    if seen is None:
        return "", "", ""
    step, total = seen.step or 0, seen.total or 0
    progress = f"{bar(step, total, 9)} {step:,}/{total:,}" if total else say("home.no-step", "no step yet")
    loss = f"{seen.loss:.4f}" if seen.loss is not None else ""
    return progress, loss, ago(seen.updated or 0.0)


def ago(moment: float) -> str:
    """How long ago in a word or two: `now`, `5 min`, `3 h`, `12 d`."""
    if not moment:
        return ""
    passed = time.time() - moment
    if passed < 60:
        return say("ago.now", "now")
    if passed < 3600:
        return say("ago.minutes", "{count} min", count=int(passed // 60))
    if passed < 86400:
        return say("ago.hours", "{count} h", count=int(passed // 3600))
    return say("ago.days", "{count} d", count=int(passed // 86400))


def longer(name: str, home: Path) -> str:
    """How a finished run is trained on."""
    command = command_line(f"train {name} --resume --set intervals.epochs=…", home)
    return say("home.longer", "Longer: {command}", command=command)


def describe(entry: Entry) -> str:
    """What the selected entry is and what can be done with it: two or three short lines."""
    if entry.draft is not None:
        return say("home.about-draft", "A run that is not yet made. Enter goes on where you left it; d deletes it.")
    seen = entry.summary
    if seen is None:
        return entry.trouble
    where, home = safe(seen.folder), Path(seen.folder).parent.parent
    left = ""
    if seen.silence is not None:
        silent = say("home.silent", "No sign of life for {time} from process {pid}. It may hang.",
                     time=duration_in_words(seen.silence), pid=seen.pid)  # fmt: skip
        return f"{silent}\n{where}"
    if entry.is_alive and seen.speed and seen.total:
        left = say("home.speed", " {speed:.2f} pictures a second.", speed=seen.speed)
    if entry.state in ABOUT:
        told = ABOUT[entry.state]
    else:
        told = say("home.about.training", "Training now. Enter opens its monitor.") + left
    more = f"\n{longer(entry.name, home)}" if entry.state == "done" else ""
    return f"{told}{more}\n{where}"


ABOUT = Texts("home.about", {
    "new": "Made, but not yet trained. r starts it.",
    "stopped": "Stopped with its state kept. r trains on from there, e exports the model as it is.",
    "failed": "Ended with an error: Enter shows what happened. r tries again from the last saved state.",
    "lost": "The process that trained it is gone (killed, or the power went). r goes on from the last saved state.",
    "done": "Trained to the end. e exports the model, Enter shows how it went.",
    "paused": "Paused: it waits, holding its memory. Enter opens its monitor, p goes on there.",
})  # fmt: skip
"""State of a run → what can be done with it."""
