"""Several processes: a card or a core for each, and updates that they can share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.config.findings import Level
from core.place import Place
from core.planning.checks import check
from core.planning.checks.batches import valid_pairs
from core.planning.plan import make_plan
from core.planning.survey import survey
from tests.planning.example import GB, card, config, facts, processor, scan_of, source


def codes(**changes: object) -> dict[str, Level]:
    found = check(config({"batch.size": 2}), facts(**changes))
    return {finding.code: finding.level for finding in found if finding.code.startswith(("processes.", "batch."))}


def test_each_process_on_a_gpu_needs_a_card() -> None:
    four = {"machine": card(gpus=4), "scans": (scan_of(16),)}
    assert codes(**four, processes=4, processes_here=4) == {}
    assert codes(**four, processes=8, processes_here=8) == {"processes.cards": Level.ERROR}
    assert codes(**four, processes=8, processes_here=4) == {}, "on two computers"
    [found] = [each for each in check(config({"batch.size": 2}), facts(**four, processes=8, processes_here=8))
               if each.code == "processes.cards"]  # fmt: skip
    for launcher in ("--processes with dbtui", "accelerate", "torchrun"):
        assert launcher in found.message.advice


def test_more_processes_than_cores_are_warned_about() -> None:
    assert codes(machine=processor(cores=2), processes=2, processes_here=2) == {}
    assert codes(machine=processor(cores=2), processes=3, processes_here=3) == {"processes.cores": Level.WARNING}


def test_pictures_divide_by_size_accumulation_and_processes() -> None:
    assert codes(scans=(scan_of(12),), processes=2) == {}
    [finding] = [found for found in check(config({"batch.size": 2}), facts(scans=(scan_of(12),), processes=4))
                 if found.code == "batch.incomplete"]  # fmt: skip
    assert "batch size 2 × accumulation 1 × 4 processes = 8" in str(finding.message)
    for fix in finding.fixes[:-2]:
        pair = fix.changes["batch.size"] * fix.changes["batch.accumulation"]
        assert 12 % (pair * 4) == 0
    assert valid_pairs(12, 2, 1, processes=5) == []


def test_the_plan_counts_with_all_processes() -> None:
    wanted = config({"batch.size": 2, "intervals.epochs": 3})
    alone, three = (make_plan(wanted, facts(scans=(scan_of(12),), processes=count)) for count in (1, 3))
    assert alone is not None
    assert three is not None
    assert (alone.images_per_step, alone.steps) == (2, 18)
    assert (three.images_per_step, three.steps, three.processes) == (6, 6, 3)


def test_a_run_keeps_the_pictures_of_its_updates_whatever_number_goes_on_with_it() -> None:
    plan = make_plan(config({"batch.size": 2}), facts(scans=(scan_of(12),), processes=1, batch=4))
    assert plan is not None
    assert plan.images_per_step == 4
    assert codes(scans=(scan_of(12),), processes=4, batch=4) == {}
    assert codes(scans=(scan_of(12),), processes=3, batch=4) == {"processes.share": Level.ERROR}


def test_processes_on_a_cpu_share_its_memory() -> None:
    full = config({"performance.optimizer": "adamw"})
    for count, refused in ((1, False), (4, True)):
        found = check(full, facts(machine=processor(memory=40 * GB), source=source(), processes_here=count))
        assert ("memory.too-small" in {finding.code for finding in found}) is refused


@pytest.mark.parametrize(("content", "batch"), [({"batch": 6}, 6), ({"batch": None}, None), ({}, None), ("", None)])
def test_the_survey_reads_the_pictures_of_an_update_from_the_newest_state(
    tmp_path: Path, content: object, batch: int | None
) -> None:
    for name, text in (("step-000009", {"batch": 3}), ("step-1000000", content)):
        state = tmp_path / "runs" / "my-dog" / "checkpoints" / name / "state.json"
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps(text) if text else "")
    seen = survey(config(), tmp_path, decode=False, resuming=True, place=Place(count=4, local_count=2))
    assert (seen.batch, seen.processes, seen.processes_here) == (batch, 4, 2)
    assert survey(config(), tmp_path, decode=False).batch is None, "a new run"
