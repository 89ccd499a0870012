"""What may help a run that failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.machine import Machine
from core.planning.remedies import DISK, FOR_MEMORY, FOR_THE_DISK, MEMORY, NOT_A_NUMBER, Remedy, remedies, ways
from core.training import faults


def config(**changes: Any) -> RunConfig:
    return with_changes(RunConfig(), {path.replace("__", "."): value for path, value in changes.items()})


def changed(code: str, options: RunConfig) -> list[str]:
    return [path for fix in remedies(code, options) for path in fix.changes]


def test_little_memory_first_cuts_the_batch_and_keeps_the_pictures_of_an_update() -> None:
    first = remedies("memory.out", config(batch__size=4, batch__accumulation=2))[0]
    assert first.changes == {"batch.size": 1, "batch.accumulation": 8}


def test_the_loop_that_went_down_to_one_picture_is_not_told_to() -> None:
    assert "batch.size" not in changed("training.out-of-memory", config(batch__size=4))


@pytest.mark.parametrize("code", sorted(MEMORY | NOT_A_NUMBER | DISK))
def test_each_remedy_is_a_change_that_the_options_take_and_none_is_in_force_already(code: str) -> None:
    options = config(
        batch__size=4, performance__optimizer="adamw", performance__text_encoder_ratio=0.5,
        performance__mixed_precision="fp16",
        saving__keep_checkpoints=9, saving__on_save=True, saving__half=False, saving__include_ema=True,
    )  # fmt: skip
    offered = remedies(code, options)
    assert len(offered) >= 3
    for fix in offered:
        assert with_changes(options, fix.changes) != options
        assert fix.label.text


def test_what_was_applied_is_not_offered_again() -> None:
    options = config(batch__size=4, performance__text_encoder_ratio=0.5)
    for _ in range(10):
        offered = remedies("memory.out", options)
        if not offered:
            break
        options = with_changes(options, offered[0].changes)
    assert not remedies("memory.out", options)


def test_prodigy_has_no_rate_to_halve() -> None:
    assert "learning_rate.rate" in changed("training.not-finite", config())
    assert "learning_rate.rate" not in changed("training.not-finite", config(performance__optimizer="prodigy"))


def test_after_a_rate_that_breaks_the_model_the_one_that_suits_is_offered_and_none_that_breaks_it_too() -> None:
    options = config(model__source="demo", learning_rate__rate=0.5, performance__mixed_precision="no",
                     learning_rate__warmup_steps=10)  # fmt: skip
    (fix,) = remedies("training.not-finite", options)
    assert fix.changes == {"learning_rate.rate": 2e-4}
    changes = [dict(fix.changes) for fix in remedies("training.not-finite", with_changes(options, fix.changes))]
    assert changes == [{"learning_rate.rate": 1e-4}]
    whole = config(model__source="/nowhere", learning_rate__rate=1e-3)
    assert remedies("training.not-finite", whole)[0].changes == {"learning_rate.rate": 1e-6}


def test_arithmetic_in_32_bits_is_not_advised_where_it_is_so_already() -> None:
    for precision, advised in (("no", False), ("bf16", True)):
        options = config(model__source="demo", performance__mixed_precision=precision)
        words = faults.not_finite(options, 3, 9, ["a.png"]).message.advice
        assert ("mixed_precision" in words) is advised and "resume" not in words


def test_a_folder_of_pictures_that_has_another_name_now_is_offered(tmp_path: Path) -> None:
    (tmp_path / "clock-moved").mkdir()
    options = config(concepts__0__instance__directory=str(tmp_path / "clock"))
    (fix,) = remedies("pictures.missing", options)
    assert fix.changes == {"concepts.0.instance.directory": str(tmp_path / "clock-moved")}
    assert remedies("pictures.missing", with_changes(options, fix.changes)) == ()
    assert remedies("pictures.missing", config(concepts__0__instance__directory=str(tmp_path / "x" / "y"))) == ()
    assert remedies("pictures.missing", config(concepts__0__instance__directory=str(tmp_path / ("x" * 300)))) == ()


def test_other_failures_have_no_option_that_helps() -> None:
    assert remedies("source.unknown", config()) == () == remedies("internal", config())


def test_a_smaller_picture_is_offered_where_the_present_size_is_known() -> None:
    def offered(options: RunConfig, size: int | None) -> object:
        changes = [fix.changes for fix in remedies("memory.out", options, size)]
        return next((change["model.resolution"] for change in changes if "model.resolution" in change), None)

    assert offered(config(), None) is None
    assert [offered(config(), size) for size in (1024, 768, 512, 384)] == [768, 576, 384, None]
    assert offered(config(model__resolution=512), 1024) == 384


def test_in_words_an_option_has_the_name_of_its_field_and_the_path_of_run_toml() -> None:
    options = config(batch__size=4, performance__gradient_checkpointing=False)
    said = ways("memory.out", options)
    assert "Batch size (batch.size = 1), Gradient accumulation (batch.accumulation = 4)" in said
    assert "Gradient checkpointing (performance.gradient_checkpointing = true)" in said
    assert "a smaller Resolution (model.resolution)" in said


NOTHING = Machine("cpu", "", 0, 0, 64, 60, 8, False)


def test_what_cannot_work_on_this_computer_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    options = config(performance__optimizer="adamw", performance__mixed_precision="no")

    def offered() -> set[str]:
        return {fix.label.code for fix in remedies("memory.out", options)}

    helped = {"remedy.8bit", "remedy.bf16", "remedy.bf16-weights"}
    monkeypatch.setattr("core.planning.remedies.inspect_machine", lambda: replace(NOTHING, knows_bf16=True))
    monkeypatch.setattr("core.planning.remedies._missing", frozenset)
    assert helped <= offered()
    monkeypatch.setattr("core.planning.remedies.inspect_machine", lambda: NOTHING)
    monkeypatch.setattr("core.planning.remedies._missing", lambda: frozenset({"bitsandbytes"}))
    assert not helped & offered()


def test_another_optimizer_does_not_take_over_a_rate_that_meant_something_else() -> None:
    options = config(performance__optimizer="prodigy", learning_rate__rate=1.0)
    changes = [fix.changes for fix in remedies("memory.out", options) if fix.label.code == "remedy.8bit"]
    assert changes == [{"performance.optimizer": "adamw_8bit", "learning_rate.rate": "auto"}]


def test_where_only_the_optimizer_lacked_room_nothing_is_said_of_pictures() -> None:
    code, options = "training.no-room-for-the-optimizer", config(batch__size=4, performance__cache_latents=False)
    touched = {path for fix in remedies(code, options, 512) for path in fix.changes}
    assert touched and not touched & {"batch.size", "performance.gradient_checkpointing", "model.resolution",
                                      "performance.cache_latents"}  # fmt: skip


@pytest.mark.parametrize("table", [FOR_MEMORY, FOR_THE_DISK])
def test_whatever_a_check_proposes_may_help_afterwards_too(table: tuple[Remedy, ...]) -> None:
    assert len({remedy.code for remedy in table}) == len(table) == len({remedy.changes for remedy in table})
    assert {remedy.code.replace("remedy.", "fix.") for remedy in table if remedy.brief} == {
        remedy.brief[0] for remedy in table if remedy.brief
    }
