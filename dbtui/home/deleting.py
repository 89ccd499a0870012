"""Deleting a run or a draft: what is lost is said first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.texts import counted, joined, say, size_in_words
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from dbtui.home.rows import Entry


def deletion_question(entry: Entry, lost: str) -> Question:
    """Dismissed with `delete`, `keep` or `None`; `lost` is what goes with it. No answer has the key that asks."""
    answers = (Answer("keep", "k", say("delete.keep", "Keep")),
               Answer("delete", "x", say("delete.delete", "Delete for good")))  # fmt: skip
    if entry.draft is None:
        return Question(say("delete.run", "Delete the run {name}?", name=safe(entry.name)), lost, answers)
    title = say("delete.nameless", "Delete the draft without a name?")
    if entry.name:
        title = say("delete.draft", "Delete the draft {name}?", name=safe(entry.name))
    return Question(title, say("delete.draft.lost", "What you typed is lost. Your pictures stay."), answers)


def what_is_lost(home: Path, name: str) -> str:
    """What goes with a run: its saved states, previews, class pictures and exports. Raises `UserError`, too where a run
    that trains now needs it.
    """
    from core.export.using import exported_files
    from core.runs.folder import Run
    from core.runs.lending import after_deleting

    run = Run.open(home, name)
    lent = after_deleting(run)
    files = [path for path in run.path.rglob("*") if path.is_file() and not path.is_symlink()]
    states = sum(1 for path in run.checkpoints.glob("step-*")) if run.checkpoints.is_dir() else 0
    exports = len(exported_files(run.exports))
    pictures = sum(1 for path in files if path.suffix == ".png")
    size = size_in_words(sum(path.stat().st_size for path in files))
    made = counted(pictures, "picture")
    things = [counted(states, "saved state")] * (states > 0) + [counted(exports, "exported model")] * (exports > 0)
    things += [say("delete.pictures", "{pictures} that the program made", pictures=made)] * (pictures > 0)
    lost = say(
        "delete.run.lost",
        "Lost for good: {things}: {size} in\n{folder}\nYour own pictures and the source model stay.",
        things=joined([*things, say("delete.history", "the history")]),
        size=size,
        folder=safe(run.path),
    )
    return f"{lost}\n{safe(lent)}" if lent else lost


def delete(home: Path, entry: Entry) -> None:
    """For good. Raises `UserError` or `OSError`."""
    from core.runs.folder import Run
    from core.runs.queue import delete_run
    from dbtui import __version__
    from dbtui.drafts import delete_draft

    if entry.draft is not None:
        delete_draft(home, entry.draft.id)
        return
    delete_run(Run.open(home, entry.name), __version__)
