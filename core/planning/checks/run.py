"""The run itself: its name, its place, the names of its concepts, what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.config.findings import Finding, Fix, Level
from core.config.names import numbered
from core.config.options import RunConfig
from core.config.prompts import slug
from core.planning.facts import Facts
from core.texts import message


def name(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A name is needed, and one of its own."""
    wanted = config.model.name
    if not wanted:
        concept = config.concepts[0].instance
        idea = slug(f"{concept.identifier} {concept.class_noun}") or "run-1"
        yield Finding(Level.ERROR, "model.name", message(
            "name.missing", "The run has no name.",
            mend="Give it one: letters, digits, - _ and . It names the folder and the exported file."),
            (_rename(_free_name(idea, facts)),))  # fmt: skip
    elif wanted in facts.not_runs:
        new = _free_name(wanted, facts)
        yield Finding(Level.ERROR, "model.name", message(
            "name.no-run", "A folder named {name} lies among the runs already and holds none.",
            mend="Take another name, for example {new}, or move that folder away.", name=wanted, new=new),
            (_rename(new),))  # fmt: skip
    elif wanted in facts.names_in_use:
        new = _free_name(wanted, facts)
        yield Finding(Level.ERROR, "model.name", message(
            "name.in-use", "A run named {name} exists already, and runs are never overwritten.",
            mend="Take another name, for example {new}. Or go on with it: in the list of runs r, once it is done l; "
            "in a terminal `dbtui train {name} --resume`, once it is done with more epochs (--set intervals.epochs=…).",
            name=wanted, new=new), (_rename(new),))  # fmt: skip


def home(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """The place for runs must be writable: a real write was tried."""
    if facts.home_problem is not None:
        yield Finding(Level.ERROR, "", facts.home_problem.message)


def concept_names(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Concepts have folders of their own, on any file system."""
    seen: dict[str, int] = {}
    for number, concept in enumerate(config.concepts):
        first = seen.setdefault(concept.name.lower(), number) if concept.name else number
        if first != number:
            new = f"{concept.name[:60]}-{number + 1}"
            yield Finding(Level.ERROR, f"concepts.{number}.name", message(
                "concept.same-name", "Concepts {first} and {second} have the same name, {name}, and would share a "
                "folder.", mend="Name one of them differently, or leave it empty.",
                first=first + 1, second=number + 1, name=concept.name),
                (Fix(message("fix.name", "Name it {name}", name=new), {f"concepts.{number}.name": new}),))  # fmt: skip


def export(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Without any export the run leaves only states that no other program reads."""
    saving = config.saving
    if not (saving.export_when_done or saving.on_cancel or saving.on_save):
        yield Finding(Level.WARNING, "saving.export_when_done", message(
            "export.never", "Nothing is exported: the run leaves only its own states, and the export name, format "
            "and precision chosen here do nothing.",
            mend="Export when done, or later with `dbtui export`."),
            (Fix(message("fix.export", "Export when done"), {"saving.export_when_done": True}),))  # fmt: skip


CHECKS = (name, home, concept_names, export)


def named_freely(finding: Finding, facts: Facts) -> Finding:
    """`finding`, of a name that cannot be one, with no fix that takes the name of another run."""
    fixes = (_rename(_free_name(fix.changes["model.name"], facts)) if "model.name" in fix.changes else fix
             for fix in finding.fixes)  # fmt: skip
    return replace(finding, fixes=tuple(fixes))


def _free_name(base: str, facts: Facts) -> str:
    taken = facts.names_in_use
    return numbered(base, taken.__contains__) if base in taken else base


def _rename(new: str) -> Fix:
    return Fix(message("fix.name", "Name it {name}", name=new), {"model.name": new})
