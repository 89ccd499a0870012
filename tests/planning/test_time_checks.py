from __future__ import annotations

from typing import Any

import pytest

from core.config.findings import Level
from tests.planning.example import codes, found, mended

STEPS = 1200
"""12 pictures × 100 epochs at batch 1."""
BY_STEPS = {"intervals.sample_every_epochs": 0, "intervals.sample_every_steps": STEPS + 1}


@pytest.mark.parametrize("warmup", [STEPS + 1, 10**6])
def test_a_warm_up_longer_than_the_run_is_an_error(warmup: int) -> None:
    finding = found("warmup.long", {"learning_rate.warmup_steps": warmup})
    assert finding.level is Level.ERROR
    assert mended(finding, {"learning_rate.warmup_steps": warmup}) == [set(), set()]


@pytest.mark.parametrize("warmup", [0, 1, STEPS, "10%", "0%", "100%"])
def test_any_other_warm_up_is_fine(warmup: int | str) -> None:
    assert codes({"learning_rate.warmup_steps": warmup}) == set()


def test_a_warm_up_of_a_scheduler_without_one_is_not_too_long_but_unused() -> None:
    assert codes({"learning_rate.warmup_steps": 5000, "learning_rate.scheduler": "constant"}) == {"warmup.unused"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"intervals.save_every_epochs": 101}, "intervals.save_every_epochs"),
        ({"intervals.save_every_steps": STEPS + 1, "intervals.save_every_epochs": 0}, "intervals.save_every_steps"),
        ({"intervals.save_every_epochs": 25, "intervals.max_steps": 100}, "intervals.save_every_epochs"),
    ],
)
def test_a_save_interval_longer_than_the_run_would_only_save_at_the_end(changes: dict[str, Any], field: str) -> None:
    finding = found("save.never", changes)
    assert finding.level is Level.WARNING and finding.field == field
    assert "only save at the end" in finding.message.text
    assert all("save.never" not in left for left in mended(finding, changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"intervals.save_every_epochs": 0, "intervals.save_every_steps": 100},
        {"intervals.save_every_epochs": 0},
        {"intervals.save_every_epochs": 100},
        {"intervals.save_every_steps": STEPS},
    ],
)
def test_saving_by_steps_alone_at_the_end_alone_or_just_in_time_is_fine(changes: dict[str, Any]) -> None:
    assert codes(changes) == set()


@pytest.mark.parametrize("changes", [{"intervals.sample_every_epochs": 101}, BY_STEPS])
def test_a_preview_interval_longer_than_the_run_happens_at_its_end_only(changes: dict[str, Any]) -> None:
    finding = found("sample.never", changes)
    assert finding.level is Level.WARNING
    assert all(left == set() for left in mended(finding, changes))


def test_a_validation_interval_longer_than_the_run_is_a_hint() -> None:
    finding = found("validate.ends-only", {"intervals.validate_every_steps": STEPS + 1})
    assert f"the run of {STEPS:,} steps:" in finding.message.text
    assert finding.level is Level.HINT
    assert all(left == set() for left in mended(finding, {"intervals.validate_every_steps": STEPS + 1}))
    assert codes({"intervals.validate_every_steps": STEPS}) == set()


def test_epochs_beside_a_number_of_steps_do_nothing() -> None:
    finding = found("epochs.unused", {"intervals.epochs": 60, "intervals.max_steps": 6000})
    assert "6,000 steps" in finding.message.text
    assert [fix.label.text for fix in finding.fixes] == ["Let the epochs decide"], "not what turns off whatever"
    finding = found("epochs.unused", {"intervals.epochs": 60, "intervals.max_steps": 600})
    assert mended(finding, {"intervals.epochs": 60, "intervals.max_steps": 600}) == [set()]
    assert codes({"intervals.max_steps": 600}) == set()


def test_previews_that_nobody_makes_are_remarked_on() -> None:
    assert found("sample.none", {"concepts.0.sample.count": 0}).level is Level.HINT
    assert codes({"concepts.0.sample.count": 0, "intervals.sample_every_epochs": 0}) == set()
    unused = {"concepts.0.sample.count": 0, "concepts.0.sample.negative_prompt": "blur"}
    assert found("sample.prompt-unused", unused).level is Level.WARNING
    alone = {"concepts.0.sample.count": 0, "concepts.0.sample.with_class": True, "intervals.sample_every_epochs": 0}
    finding = found("sample.class-unused", alone)
    assert all("sample.class-unused" not in left for left in mended(finding, alone))


@pytest.mark.parametrize("changes", [{"intervals.sample_every_epochs": 101}, BY_STEPS])
def test_with_previews_at_the_start_it_is_the_start_and_the_end(changes: dict[str, Any]) -> None:
    changes = changes | {"intervals.sample_at_start": True}
    finding = found("sample.ends-only", changes)
    assert "at the start and at the end only" in finding.message.text
    assert "sample.never" not in codes(changes)
    assert all("sample.ends-only" not in left for left in mended(finding, changes))


@pytest.mark.parametrize("what", ["save", "sample"])
@pytest.mark.parametrize(("idle", "counts"), [("epochs", "steps"), ("steps", "epochs")])
def test_an_interval_that_never_comes_beside_one_that_does_is_said_to_do_nothing(
    what: str, idle: str, counts: str
) -> None:
    field = f"intervals.{what}_every_{idle}"
    changes = {field: 9000, f"intervals.{what}_every_{counts}": 25}
    finding = found("interval.never", changes)
    assert (finding.level, finding.field) == (Level.HINT, field)
    assert finding.message.text.endswith(f"Every 25 {counts} counts.")
    assert not codes(changes) & {"save.never", "sample.never"}
    assert mended(finding, changes) == [set()]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"intervals.epochs": 20_000}, "intervals.epochs"), ({"intervals.max_steps": 60_000}, "intervals.max_steps")],
)
def test_a_digit_too_many_is_asked_about(changes: dict[str, Any], field: str) -> None:
    finding = found("steps.many", changes)
    assert finding.level is Level.WARNING and finding.field == field
    assert "steps.many" not in codes({"intervals.epochs": 500})
