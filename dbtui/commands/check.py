"""`dbtui check`: every finding and the plan, before anything starts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from core.config.findings import Finding, Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.planning.checks import check
from core.planning.duration import Duration, estimate
from core.planning.facts import Facts
from core.planning.plan import Plan, make_plan
from core.planning.survey import survey
from core.runs.pace import former_paces
from core.texts import Texts, counted, say, size_in_words
from dbtui.boundary import DONE, REFUSED
from dbtui.commands.configs import read_assignments, read_config
from dbtui.commands.processes import place_of
from dbtui.planned import Rows, disk_in_words, saves_rows, steps_rows, time_rows
from dbtui.printing import console, print_json, print_paragraph, table
from dbtui.safe import safe, safe_message
from dbtui.wizard.values import as_text

MARKS = {Level.ERROR: ("✗", "red"), Level.WARNING: ("!", "yellow"), Level.HINT: ("·", "cyan")}
LEVELS = Texts("level", {"error": "error", "warning": "warning", "hint": "hint"})


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
        print_plan(config, facts, plan, home)
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
        head = Text(f"{mark} {LEVELS[finding.level.value]}", colour)
        if finding.field:
            head.append(f"  {safe(finding.field)}", "bold")
        out.print(head)
        print_paragraph(out, safe_message(finding.message), indent=4)
        for fix in finding.fixes:
            settings = " ".join(f"--set {shlex.quote(f'{path}={as_text(new)}')}" for path, new in fix.changes.items())
            told = say("check.fix", "→ {label}: {settings}", label=fix.label.text, settings=f"`{settings}`")
            print_paragraph(out, safe(told), indent=4, style="dim")
    if not findings:
        out.print(Text(say("check.good", "✓ Nothing is wrong with it."), "green"))


def print_plan(config: RunConfig, facts: Facts, plan: Plan | None, home: Path) -> None:
    """What the run would do, in words."""
    out = console()
    out.print()
    if plan is None:
        out.print(Text(say("check.no-plan", "There is no plan yet: mend the errors above first.")))
        return
    took = estimate(config, facts, plan, former_paces(home))
    out.print(table((say("review.plan", "The plan"), ""), _plan_rows(config, facts, plan, took)))


def _plan_rows(config: RunConfig, facts: Facts, plan: Plan, took: Duration | None) -> Rows:
    made = say("check.class-pictures", "{wanted:,}, {missing:,} of them to be made", wanted=plan.class_wanted,
               missing=plan.class_missing)  # fmt: skip
    shared = say("check.shared", "{processes}, {pictures} of each step for each", processes=plan.processes,
                 pictures=counted(plan.images_per_step // plan.processes, "picture"))  # fmt: skip
    memory = _size(plan.memory.total if plan.memory else None)
    if plan.processes > 1:
        memory = say("check.memory-each", "{size} for each process", size=memory)
    return [
        (say("check.pictures", "Your pictures"), say("check.count", "{count:,}", count=plan.instance_pictures)),
        (say("check.class", "Class pictures"), made if plan.class_wanted else say("value.none", "none")),
        *steps_rows(plan),
        *([(say("check.processes", "Processes"), shared)] if plan.processes > 1 else []),
        (say("check.warm-up", "Warm-up"), counted(plan.warmup, "step")),
        *saves_rows(config, plan),
        *time_rows(took),
        (say("check.export", "Export"), _size(plan.export_bytes)),
        (say("plan.disk", "Disk"), disk_in_words(facts, plan) or _size(None)),
        (say("plan.memory", "Memory"), memory),
        *_memory_rows(plan),
    ]  # fmt: skip


def _memory_rows(plan: Plan) -> Rows:
    """What the memory is for, the largest first, and what a GPU leaves to the computer."""
    if plan.memory is None:
        return []
    rows = [("", told) for told in plan.memory.parts_in_words]
    beside = plan.memory.host if plan.memory.host != plan.memory.total else None
    if beside is None:
        return rows
    held = _size(beside)
    if plan.processes > 1:
        held = say("check.memory-each", "{size} for each process", size=held)
    return [*rows, (say("check.memory-beside", "Memory beside the GPU"), held)]


def _size(count: int | None) -> str:
    if count is None:
        return say("check.unknown", "unknown until the model is here")
    return say("plan.memory.about", "about {size}", size=size_in_words(count))
