"""What begins from a run that is there: training on, training longer, the same anew, another name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.texts import counted, say
from dbtui.drafts import Draft, new_id
from dbtui.safe import safe
from dbtui.widgets.asked import Asked
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.config.presets import Preset
    from core.runs.folder import Run
    from core.runs.longer import Length
    from dbtui.app import DbtuiApp

MOST_EPOCHS = 100_000


class Before:
    """The options of `run` as they are now, to be put back where what they are changed for is refused."""

    def __init__(self, run: Run) -> None:
        self._run, self._options = run, run.config_path.read_bytes()

    def put_back(self) -> None:
        """Unless some process trains it meanwhile. Raises `OSError`."""
        from core.files import write_atomic
        from core.runs.lock import owner

        path = self._run.config_path
        if path.read_bytes() != self._options and owner(self._run.lock_path) is None:
            write_atomic(path, self._options)


def where_question(app: DbtuiApp, run: Run, *, waits: bool, started: bool = True) -> Question:
    """Dismissed with `here`, `background`, `queue` or `None`; `waits` is a run that stands in the queue already,
    `started` one that was trained before.
    """
    from dbtui.monitor.after import resume_question

    question = resume_question(app, run, started=started)
    if not waits:
        question.answers += (Answer("queue", "w", say("where.queue", "In the queue"),
                                    say("where.queue.help", "when its turn comes, one after the other")),)  # fmt: skip
    return question


def longer_question(run: Run, length: Length) -> Asked:
    """Dismissed with how many epochs more, or `None`."""
    if length.epochs:
        so_far = say("longer.epochs", "It was trained for {epochs}, {steps}.", epochs=counted(length.epochs, "epoch"),
                     steps=counted(length.steps, "step"))  # fmt: skip
    else:
        so_far = say("longer.steps", "It was trained for {steps}.", steps=counted(length.steps, "step"))
    each = ""
    if length.steps_per_epoch:
        each = say("longer.each", " An epoch has {steps}.", steps=counted(length.steps_per_epoch, "step"))
    bends = ""
    if length.bends:
        bends = say("longer.bends", " Its learning rate falls over the whole length: it begins higher again than it "
                    "ended.")  # fmt: skip
    export = ""
    if length.export:
        export = "\n" + say("longer.export", "At its new end it writes {file}; what was exported before stays.",
                            file=safe(length.export))  # fmt: skip
    return Asked(
        say("longer.question", "Train {name} for how many more epochs?", name=safe(run.name)),
        f"{so_far}{each}{bends}{export}", say("longer.label", "More epochs"), str(max(1, length.epochs // 4)),
        _wrong_number,
    )  # fmt: skip


def _wrong_number(typed: str) -> str:
    if typed.isdecimal() and 1 <= int(typed) <= MOST_EPOCHS:
        return ""
    return say("longer.wrong", "Type a whole number from 1 to {most:,}.", most=MOST_EPOCHS)


def rename_question(home: Path, run: Run, lent: str = "") -> Asked:
    """Dismissed with a name that no run has, or `None`; `lent` is what becomes of those who use its class pictures."""
    from core.runs.folder import Run as Folder
    from core.runs.folder import is_run, is_run_name

    def wrong(typed: str) -> str:
        if not is_run_name(typed):
            return say("rename.wrong", "Letters, digits, - _ and . (at most 64, not starting with - or .)")
        path = Folder(home, typed).path
        if path.exists():
            return say("rename.taken", "There is a run of that name already.") if is_run(path) else say(
                "rename.no-run", "A folder of that name lies among the runs already.")  # fmt: skip
        return ""

    text = say("rename.text", "What was exported keeps its name.") + (f"\n{safe(lent)}" if lent else "")
    return Asked(say("rename.question", "Which name shall {name} have?", name=safe(run.name)), text,
                 say("rename.label", "Name"), run.name, wrong)  # fmt: skip


def draft_of(run: Run) -> Draft:
    """The wizard's fields as the options of `run` are, under the next free name; seeds too, so that only what is
    changed differs. Its preset is that which the run was made from, if it is still there. Reads the disk.
    """
    from core.config.parsing import value_at, with_changes
    from core.config.table import generic, option_table
    from core.planning.class_pictures import run_that_is_gone
    from core.runs.folder import free_name
    from dbtui.wizard.context import WizardContext, read_presets
    from dbtui.wizard.values import as_text

    config = run.config()
    count = len(config.concepts)
    presets = read_presets().known
    preset = run.preset() if run.preset() in presets else ""
    source = {"model.source": config.model.source, "model.family": config.model.family}
    for number, concept in enumerate(config.concepts):
        if concept.prior.directory and run_that_is_gone(concept.prior.directory, run.path.parent):
            config = with_changes(config, {f"concepts.{number}.prior.directory": ""})
    base = WizardContext(run.home, Draft("", preset, concepts=count, texts=source))
    paths = (option.path.replace("*", str(number)) for option in option_table()
             for number in range(count if "*" in option.path else 1))  # fmt: skip
    texts = {path: as_text(value_at(config, path)) for path in paths}
    follows = paths_of(presets[preset]) if preset else frozenset()  # its numbers may be others once the family is known
    kept = {path: text for path, text in texts.items() if text != base.base_text(path) or generic(path) in follows}
    return Draft(new_id(), preset, concepts=count, texts={**kept, "model.name": free_name(run.home, config.model.name)},
                 copy_of=config.model.name)  # fmt: skip


def paths_of(preset: Preset) -> frozenset[str]:
    """Every option that it sets, for whatever family and method."""
    return frozenset(path for values in (preset.values, *preset.when.values()) for path in values)
