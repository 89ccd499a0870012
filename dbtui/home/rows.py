"""What one line of the list of runs says, in words and marks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from core.texts import Texts, duration_in_words, say, size_in_words
from dbtui.commandline import command_line
from dbtui.safe import safe
from dbtui.states import STATES
from dbtui.widths import fitted, flush_right
from dbtui.wizard.steps import STEPS

if TYPE_CHECKING:
    from core.runs.journal import Summary
    from dbtui.drafts import Draft

KEPT = ("stopped", "failed", "lost")
RESUMABLE = ("new", *KEPT)
WAITING = ("»", "$text-primary")
STATE_CELLS, LOSS_CELLS, SIZE_CELLS, AGE_CELLS = 15, 7, 10, 8
STEPS_CELLS = 13


@dataclass(frozen=True)
class Entry:
    """A run (`summary` is None until it was read) or a draft. `place` and `bytes` are those of `Listed`; `begins` is a
    run that was told to train, though no process says yet that it does.
    """

    name: str
    summary: Summary | None = None
    draft: Draft | None = None
    trouble: str = ""
    place: int = 0
    bytes: int | None = None
    begins: bool = False

    @property
    def id(self) -> str:
        return f"draft-{self.draft.id}" if self.draft else f"run-{self.name}"

    @property
    def state(self) -> str:
        if self.draft is not None:
            return "draft"
        if self.trouble:
            return "unreadable"
        seen = self.summary.state if self.summary else "unknown"
        return "loading" if self.begins and seen in RESUMABLE else seen

    @property
    def begins_anew(self) -> bool:
        """Whether it was trained and nothing of that is kept: what trains it on begins at step 0."""
        return self.state in KEPT and self.summary is not None and not self.summary.saved

    @property
    def is_alive(self) -> bool:
        """Whether some process trains it now."""
        return self.state not in (*RESUMABLE, "done", "draft", "unknown", "unreadable")

    @property
    def changed(self) -> float:
        """When something last happened to it, in unix seconds; 0 where that is not known."""
        if self.draft is not None:
            return self.draft.changed
        return (self.summary.updated if self.summary else 0.0) or 0.0

    @property
    def rank(self) -> tuple[int, float, str]:
        """What trains stands first, then what waits in its order, then the rest, the newest first."""
        if self.is_alive:
            return 0, 0.0, self.name
        return (1, self.place, self.name) if self.place else (2, -self.changed, self.name)


@dataclass(frozen=True)
class Columns:
    """How the `width` cells of a line are shared out between what may be longer or shorter."""

    name: int
    progress: int

    @classmethod
    def of(cls, width: int) -> Columns:
        rest = max(0, width - 3 - STATE_CELLS - 1 - LOSS_CELLS - SIZE_CELLS - AGE_CELLS)
        name = max(8, min(64, round(rest * 0.45)))
        return cls(name, max(13, min(64, rest - name)))


def line(entry: Entry, width: int) -> Content:
    """The entry in one line of `width` cells: mark and state, name, progress, loss, size, when."""
    columns = Columns.of(width)
    mark, words, colour = STATES.get(entry.state, ("►", entry.state, "$foreground"))
    if entry.place and not entry.is_alive:
        (mark, colour), words = WAITING, say("home.waits", "waits, no. {place}", place=entry.place)
    name = entry.name or say("home.no-name", "no name yet")
    progress, loss, when = _figures(entry, columns.progress)
    size = size_in_words(entry.bytes) if entry.bytes is not None else ""
    return Content.assemble(
        (f" {mark} {fitted(words, STATE_CELLS)}", colour), (fitted(safe(name), columns.name), "bold"), " ",
        fitted(progress, columns.progress), flush_right(loss, LOSS_CELLS),
        (flush_right(size, SIZE_CELLS) + flush_right(when, AGE_CELLS), "$foreground-muted"),
    )  # fmt: skip


def heads(width: int) -> str:
    """The titles over `line`."""
    columns = Columns.of(width)
    state, run = say("home.state", "State"), say("home.run", "Run")
    progress, loss = say("home.progress", "Progress"), say("home.loss", "Loss")
    size, age = say("home.size", "Size"), say("home.age", "Age")
    return (f"   {fitted(state, STATE_CELLS)}{fitted(run, columns.name)} {fitted(progress, columns.progress)}"
            f"{flush_right(loss, LOSS_CELLS)}{flush_right(size, SIZE_CELLS)}{flush_right(age, AGE_CELLS)}")  # fmt: skip


def bar(done: int, total: int, cells: int) -> str:
    """`━━━───` with as many heavy cells as the share that is done."""
    heavy = min(cells, round(cells * done / total)) if total else 0
    return "━" * heavy + "─" * (cells - heavy)


def _figures(entry: Entry, cells: int) -> tuple[str, str, str]:
    if entry.draft is not None:
        step = STEPS.get(entry.draft.step, entry.draft.step)
        return say("home.draft-at", "at {step}", step=step), "", ago(entry.draft.changed)
    seen = entry.summary
    if seen is None:
        return "", "", ""
    step, total = seen.kept_step or 0, seen.total or 0
    is_told = seen.loss is not None and (step or not seen.step) and entry.state != "loading"
    loss = f"{seen.loss:.4f}" if is_told else ""
    return progress(step, total, cells), loss, ago(seen.updated or 0.0)


def progress(step: int, total: int, cells: int) -> str:
    """A bar and the steps, as they fit into `cells`: the steps first, the bars of one list of one length."""
    if not total:
        return say("home.no-step", "no step yet")
    steps = f"{step:,}/{total:,}"
    room = cells - max(STEPS_CELLS, len(steps)) - 2
    return f"{bar(step, total, room)} {steps}" if room >= 3 else steps


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


def describe(entry: Entry) -> str:
    """What the selected entry is and what can be done with it: two or three short lines."""
    if entry.draft is not None:
        return say("home.about-draft", "A run that is not yet made. Enter goes on where you left it; d deletes it.")
    seen = entry.summary
    if seen is None:
        return entry.trouble
    where = safe(seen.folder)
    if seen.silence is not None:
        silent = say("home.silent", "No sign of life for {time} from process {pid}. It may hang.",
                     time=duration_in_words(seen.silence), pid=seen.pid)  # fmt: skip
        return f"{silent}\n{where}"
    return f"{_told(entry, seen)}\n{where}"


def _told(entry: Entry, seen: Summary) -> str:
    from core.events import Failed
    from core.planning.remedies import NOT_A_NUMBER

    if entry.place and not entry.is_alive:
        return say("home.about-waiting", "Waits its turn in the queue. r starts it at once, beside what trains now.")
    if entry.state == "failed" and isinstance(seen.ending, Failed) and seen.ending.code in NOT_A_NUMBER:
        return say("home.about.not-finite", "Ended with an error, and r would end in the same way: Enter, then F2, "
                   "shows what may help.")  # fmt: skip
    if entry.begins_anew:
        return ANEW[entry.state]
    if entry.state == "lost":
        return say("home.about.lost", "The process that trained it ended unexpectedly (killed, or the power went). r "
                   "goes on from step {step:,}.", step=seen.saved)  # fmt: skip
    if entry.state in ABOUT:
        return ABOUT[entry.state]
    told = say("home.about.training", "Training now. Enter opens its monitor.")
    if seen.speed and seen.total:
        told += say("home.speed", " {speed:.2f} pictures a second.", speed=seen.speed)
    if seen.seconds_left:
        told += say("home.left", " About {time} left.", time=duration_in_words(seen.seconds_left))
    return told


def longer(name: str, home: Path) -> str:
    """How a finished run is trained on without the app."""
    command = command_line(f"train {name} --resume --set intervals.epochs=…", home)
    return say("home.longer", "Longer: {command}", command=command)


ABOUT = Texts("home.about", {
    "new": "Made, but not yet trained. r starts it.",
    "stopped": "Stopped with its state kept. r trains on from there, e exports the model as it is.",
    "failed": "Ended with an error: Enter shows what happened. r tries again from what was saved last.",
    "done": "Trained to the end. e exports the model, Enter shows how it went, l trains it longer.",
    "paused": "Paused: it waits, holding its memory. Enter opens its monitor, p goes on there.",
})  # fmt: skip
"""State of a run → what can be done with it."""
ANEW = Texts("home.anew", {
    "stopped": "Stopped, and nothing of it was saved. r trains it again from step 0.",
    "failed": "Ended with an error: Enter shows what happened. Nothing was saved: r tries again from step 0.",
    "lost": "The process that trained it ended unexpectedly (killed, or the power went). Nothing was saved: r trains "
            "it again from step 0.",
})  # fmt: skip
"""The same where nothing of it is kept."""
