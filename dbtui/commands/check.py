"""`dbtui check`: every finding and the plan, before anything starts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.padding import Padding
from rich.text import Text

from core.config.findings import Finding, Level
from core.config.parsing import with_changes
from core.planning.checks import check
from core.planning.plan import Plan, make_plan
from core.planning.survey import survey
from core.texts import counted, listed, size_in_words
from dbtui.boundary import DONE, REFUSED
from dbtui.commands.configs import read_assignments, read_config
from dbtui.commands.processes import place_of
from dbtui.printing import console, print_json, table
from dbtui.safe import safe, safe_message

MARKS = {Level.ERROR: ("✗ error", "red"), Level.WARNING: ("! warning", "yellow"), Level.HINT: ("· hint", "cyan")}


def check_file(
    path: Path, home: Path, *, assignments: Sequence[str], as_json: bool, processes: int | None = None
) -> int:
    """Print findings and plan of the file with these changes, for so many processes; 2 if a finding is an error."""
    config = with_changes(read_config(path), read_assignments(assignments))
    facts = survey(config, home, decode=True, place=place_of(processes))
    findings = check(config, facts)
    plan = make_plan(config, facts)
    if as_json:
        print_json({"findings": [finding_as_json(finding) for finding in findings],
                    "plan": asdict(plan) if plan is not None else None})  # fmt: skip
    else:
        print_findings(findings)
        print_plan(plan)
    return REFUSED if has_error(findings) else DONE


def has_error(findings: Sequence[Finding]) -> bool:
    return any(finding.level is Level.ERROR for finding in findings)


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """A finding for programs: its code is stable, its message is for people."""
    return {
        "level": finding.level.value,
        "field": finding.field,
        "code": finding.code,
        "message": finding.message.text,
        "advice": finding.message.advice,
        "fixes": [{"label": fix.label.text, "changes": dict(fix.changes)} for fix in finding.fixes],
    }


def print_findings(findings: Sequence[Finding], *, on_stderr: bool = False) -> None:
    """Each finding with its field, and its fixes as the `--set` that makes them."""
    out = console(sys.stderr if on_stderr else sys.stdout)
    for finding in findings:
        mark, colour = MARKS[finding.level]
        head = Text(mark, colour)
        if finding.field:
            head.append(f"  {safe(finding.field)}", "bold")
        out.print(head)
        out.print(Padding(Text(safe_message(finding.message)), (0, 0, 0, 4)))
        for fix in finding.fixes:
            settings = " ".join(f"--set {shlex.quote(f'{path}={value}')}" for path, value in fix.changes.items())
            out.print(Padding(Text(safe(f"→ {fix.label.text}: {settings}"), "dim"), (0, 0, 0, 4)))
    if not findings:
        out.print(Text("✓ Nothing is wrong with it.", "green"))


def print_plan(plan: Plan | None) -> None:
    """What the run would do, in words."""
    out = console()
    out.print()
    if plan is None:
        out.print(Text("There is no plan yet: mend the errors above first."))
        return
    out.print(table(("The plan", ""), _plan_rows(plan)))


def _plan_rows(plan: Plan) -> list[tuple[str, str]]:
    made = f"{plan.class_wanted:,}, {plan.class_missing:,} of them to be made"
    trained = f"trains for the first {counted(plan.text_encoder_steps, 'step')}"
    shapes = [(bucket.size.words, counted(bucket.samples, "picture")) for bucket in plan.buckets if bucket.size]
    sampled = f"{counted(plan.sample_pictures, 'picture')}, {counted(plan.sample_steps, 'time')}"
    return [
        ("Your pictures", f"{plan.instance_pictures:,}"),
        ("Class pictures", made if plan.class_wanted else "none"),
        ("Length", f"{counted(plan.steps, 'step')}: {counted(plan.epochs, 'epoch')} of "
         f"{counted(plan.steps_per_epoch, 'step')}, {counted(plan.images_per_step, 'picture')} each"),
        *([("Processes", f"{plan.processes}, {counted(plan.images_per_step // plan.processes, 'picture')} of each step "
            "for each")] if plan.processes > 1 else []),
        *([("Shapes", listed((f"{words}: {count}" for words, count in shapes), 20))] if len(shapes) > 1 else []),
        ("Text encoder", trained if plan.text_encoder_steps else "is not trained"),
        ("Warm-up", counted(plan.warmup, "update")),
        ("Previews", sampled if plan.sample_pictures else "only when you ask"),
        ("Saved states", f"{counted(plan.save_steps, 'time')}, {_size(plan.checkpoint_bytes)} each"),
        ("Export", _size(plan.export_bytes)),
        ("Disk", _size(plan.disk_bytes)),
        ("Memory", _size(plan.memory.total if plan.memory else None) + " for each process" * (plan.processes > 1)),
        *_memory_rows(plan),
    ]  # fmt: skip


def _memory_rows(plan: Plan) -> list[tuple[str, str]]:
    """What the memory is for, the largest first, and what a GPU leaves to the computer."""
    if plan.memory is None:
        return []
    rows = [("", f"{size_in_words(count)} {what}") for what, count in plan.memory.parts]
    beside = plan.memory.host if plan.memory.host != plan.memory.total else None
    return rows if beside is None else [*rows, ("Memory beside the GPU", _size(beside))]


def _size(count: int | None) -> str:
    return "unknown until the model is here" if count is None else f"about {size_in_words(count)}"
