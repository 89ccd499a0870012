from __future__ import annotations

from dataclasses import replace

import pytest

from core.config.findings import Level
from core.config.parsing import with_changes
from core.planning.plan import make_plan, memory_of
from core.texts import size_in_words
from tests.planning.example import GB, card, codes, config, facts, findings, found, mended, processor

PRECISION = "performance.mixed_precision"
TEXT = {"performance.text_encoder_ratio": 0.7}


@pytest.mark.parametrize(("asked", "machine"), [("adamw_8bit", processor()), ("auto", card())])
def test_an_optimizer_whose_library_is_missing_is_refused_also_where_auto_would_take_it(asked, machine) -> None:  # type: ignore[no-untyped-def]
    world = facts(machine=machine, missing_modules=frozenset({"bitsandbytes"}))
    finding = found("optimizer.unavailable", {"performance.optimizer": asked}, world)
    assert finding.level is Level.ERROR and "pip install bitsandbytes" in finding.message.advice
    left = mended(finding, {"performance.optimizer": asked}, world)
    assert left[0] == set() and all("optimizer.unavailable" not in codes for codes in left)


def test_8bit_adamw_works_on_a_processor_too() -> None:
    assert codes({"performance.optimizer": "adamw_8bit"}) == set()


@pytest.mark.parametrize(("knows_bf16", "better"), [(True, ["bf16", "no"]), (False, ["no"])])
def test_fp16_on_a_processor_is_an_error(knows_bf16: bool, better: list[str]) -> None:
    world = facts(machine=processor(knows_bf16=knows_bf16))
    finding = found("precision.fp16-on-cpu", {PRECISION: "fp16"}, world)
    assert finding.level is Level.ERROR
    assert [fix.changes[PRECISION] for fix in finding.fixes] == better
    assert mended(finding, {PRECISION: "fp16"}, world) == [set()] * len(better)
    assert "precision.fp16-on-cpu" not in codes({PRECISION: "fp16"}, facts(machine=card()))


@pytest.mark.parametrize(("machine", "other"), [(processor(knows_bf16=False), "no"), (card(knows_bf16=False), "fp16")])
def test_bf16_where_the_machine_does_not_know_it_is_a_warning(machine, other: str) -> None:  # type: ignore[no-untyped-def]
    world = facts(machine=machine)
    finding = found("precision.no-bf16", {PRECISION: "bf16"}, world)
    assert finding.level is Level.WARNING
    assert finding.fixes[0].changes == {PRECISION: other}
    assert mended(finding, {PRECISION: "bf16"}, world) == [set()]


def test_auto_never_takes_a_precision_that_is_warned_about() -> None:
    for knows in (True, False):
        assert codes({}, facts(machine=processor(knows_bf16=knows))) == set()
        assert codes({}, facts(machine=card(knows_bf16=knows))) == set()


def test_full_precision_on_a_gpu_is_slow() -> None:
    assert found("precision.slow", {PRECISION: "no"}, facts(machine=card())).level is Level.HINT


def test_weights_that_cannot_fit_are_an_error_and_a_tight_fit_a_warning() -> None:
    small, tight = facts(machine=processor(memory=8 * GB)), facts(machine=processor(memory=16 * GB))
    assert found("memory.too-small", {}, small).level is Level.ERROR
    assert (
        found("memory.tight", TEXT | {"batch.size": 4}, facts(machine=processor(memory=19 * GB))).level is Level.WARNING
    )
    assert found("memory.tight", {}, tight).level is Level.WARNING


def test_memory_that_others_use_is_a_warning() -> None:
    world = facts(machine=processor(memory=64 * GB, memory_available=5 * GB))
    assert found("memory.in-use", {}, world).level is Level.WARNING


FIXES = {
    "fix.checkpointing", "fix.no-text-encoder", "fix.batch-one", "fix.no-ema", "fix.cache", "fix.8bit",
    "fix.lora-instead", "fix.bf16-weights",
}  # fmt: skip
HUNGRY = TEXT | {
    "batch.size": 4, "performance.optimizer": "adamw", "performance.ema": True, "performance.cache_latents": False,
    "learning_rate.rate": 1e-6,
}  # fmt: skip
SMALL = facts(machine=card(gpu_memory=10 * GB, gpu_free=10 * GB))


def test_advice_on_memory_comes_in_order_of_effect_and_each_fix_says_what_it_saves() -> None:
    finding = found("memory.too-small", HUNGRY, SMALL)
    assert {fix.label.code for fix in finding.fixes} == FIXES
    assert finding.fixes[0].label.code == "fix.lora-instead"
    now, saved = memory_of(config(HUNGRY), SMALL), []
    for fix in finding.fixes:
        after = memory_of(with_changes(config(HUNGRY), fix.changes), SMALL)
        assert now is not None and after is not None and after.total < now.total
        saved.append(now.total - after.total)
        assert fix.label.values["saving"] == size_in_words(saved[-1])
    assert saved == sorted(saved, reverse=True)
    assert all(fix.label.text in finding.message.advice for fix in finding.fixes)


@pytest.mark.parametrize(("code", "left"), [("fix.lora-instead", set()), ("fix.bf16-weights", {"memory.too-small"})])
def test_a_fix_of_memory_brings_no_new_finding(code: str, left: set[str]) -> None:
    changes = HUNGRY | {"performance.mixed_precision": "no"}
    fix = next(fix for fix in found("memory.too-small", changes, SMALL).fixes if fix.label.code == code)
    kept = {entry for entry in codes(changes, SMALL) if not entry.startswith(("memory.", "precision."))}
    assert codes(changes | fix.changes, SMALL) - kept - {"precision.slow"} <= left | {"memory.tight"}


def test_a_memory_fix_that_helps_nothing_or_cannot_work_here_is_not_offered() -> None:
    def offered(changes: dict[str, object], **machine: object) -> set[str]:
        world = facts(machine=processor(memory=4 * GB, **machine))
        return {fix.label.code for fix in found("memory.too-small", changes, world).fixes}

    lean = {"performance.gradient_checkpointing": True, "performance.optimizer": "adamw_8bit"}
    assert offered(lean) == {"fix.lora-instead", "fix.bf16-weights"}
    assert offered(lean | {"performance.weights": "bf16"}) == {"fix.lora-instead"}
    assert offered(lean, knows_bf16=False) == {"fix.lora-instead"}
    prodigy = {"performance.gradient_checkpointing": True, "performance.optimizer": "prodigy"}
    assert offered(prodigy) == {"fix.lora-instead", "fix.8bit"}, "it cannot update bf16 weights"
    none = facts(machine=card(gpu_memory=6 * GB), missing_modules=frozenset({"bitsandbytes"}))
    changes = {"performance.optimizer": "adamw"}
    assert "fix.8bit" not in {fix.label.code for fix in found("memory.too-small", changes, none).fixes}


def test_beside_a_gpu_the_computers_own_memory_is_looked_at() -> None:
    world = facts(machine=card(memory=2 * GB))
    assert found("memory.host", {}, world).level is Level.WARNING
    assert "memory.host" not in codes({}, facts(machine=card()))


def test_each_process_beside_a_gpu_takes_the_computers_own_memory() -> None:
    need = memory_of(config(), facts(machine=card()))
    assert need is not None
    world = facts(machine=card(memory=8 * need.host), processes=9, processes_here=9)
    finding = found("memory.host-shared", {}, world)
    assert finding.level is Level.WARNING
    assert "9 processes" in finding.message.text and size_in_words(9 * need.host) in finding.message.text
    assert "memory.host-shared" not in codes({}, replace(world, processes_here=8)), "the ninth is on another computer"


def test_a_text_encoder_on_a_small_device_is_remarked_on() -> None:
    changes = TEXT | {"performance.gradient_checkpointing": True}
    assert found("text-encoder.memory", changes, facts(machine=card(gpu_memory=11.5 * GB))).level is Level.HINT
    assert "text-encoder.memory" not in codes(changes, facts(machine=card()))


def test_a_disk_too_small_for_the_states_planned_is_an_error_with_numbers() -> None:
    world = facts(free_bytes=30 * GB)
    finding = found("disk.small", TEXT, world)
    assert finding.level is Level.ERROR
    assert "3 states of 11.8 GB" in finding.message.text and "30.0 GB" in finding.message.text
    assert finding.fixes


def test_the_disk_must_hold_one_state_more_than_is_kept_and_everything_else() -> None:
    plan = make_plan(config(TEXT), facts())
    assert plan is not None and plan.disk_bytes is not None
    assert "disk.small" in codes(TEXT, facts(free_bytes=plan.disk_bytes - 1))
    assert codes(TEXT, facts(free_bytes=plan.disk_bytes)) == {"disk.tight"}
    assert codes(TEXT, facts(free_bytes=2 * plan.disk_bytes)) == set()
    assert codes(TEXT, facts(free_bytes=plan.disk_bytes // 2, held_bytes=plan.disk_bytes)) == set()


def test_disk_fixes_come_in_order_of_effect() -> None:
    many = TEXT | {"saving.keep_checkpoints": 4, "saving.on_save": True, "saving.half": False}
    finding = found("disk.small", many, facts(free_bytes=20 * GB))
    after = [make_plan(config({**many, **fix.changes}), facts()) for fix in finding.fixes]
    needs = [plan.disk_bytes for plan in after if plan is not None]
    assert needs == sorted(needs) and len(needs) == 6


def test_nothing_is_said_about_machines_and_disks_that_were_not_looked_at() -> None:
    assert findings({}, facts(machine=None, free_bytes=None)) == []
