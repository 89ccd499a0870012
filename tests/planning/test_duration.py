"""How long a run takes, by what former runs measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.planning.duration import Duration, Pace, estimate, kind_of, sampling_steps
from core.planning.facts import Facts
from core.planning.plan import export_size, make_plan
from tests.planning.example import card, config, facts, source

CHANGES = {
    "intervals.epochs": 10,
    "intervals.validate_every_steps": 0,
    "concepts.0.prior.steps": 40,
    "concepts.0.sample.steps": 20,
}
EXPORTED = export_size(config(CHANGES), source())


def estimated(paces: list[Pace], changes: dict[str, Any] | None = None, world: Facts | None = None) -> Duration | None:
    options, world = config(CHANGES | (changes or {})), world or facts()
    plan = make_plan(options, world)
    assert plan is not None
    return estimate(options, world, plan, paces)


@pytest.fixture
def pace() -> Pace:
    kind = kind_of(config(CHANGES), facts())
    assert kind is not None
    return Pace(kind, picture=2.0, denoising=0.5, class_denoising=0.25, save=7.0, gap=0.5, export=1e-9, start=30.0)


def test_each_part_is_its_figure_times_how_often(pace: Pace) -> None:
    found = estimated([pace])  # 12 pictures, 10 epochs, 24 class pictures of 40 steps, previews at 5 and 10, a save
    assert found is not None and found.is_whole
    assert found.training == 2.0 * 120
    assert found.class_pictures == 24 * 40 * 0.25
    assert found.previews == 2 * 20 * 0.5
    assert found.saves == 7.0 and found.start == 30.0
    assert found.exports == pytest.approx(EXPORTED * 1e-9) and found.validations == found.rests == 0
    assert found.total == pytest.approx(240 + 240 + 20 + 7 + 30 + EXPORTED * 1e-9)


def test_only_the_last_save_is_waited_for(pace: Pace) -> None:
    found = estimated([pace], {"intervals.save_every_epochs": 2})
    assert found is not None and found.saves == 4 * 0.5 + 7.0
    unknown = estimated([replace(pace, gap=None)], {"intervals.save_every_epochs": 2})
    assert unknown is not None and unknown.saves is None and not unknown.is_whole
    at_end = estimated([replace(pace, gap=None)])
    assert at_end is not None and at_end.saves == 7.0


def test_every_file_that_is_exported_takes_its_time(pace: Pace) -> None:
    averaged = {"performance.ema": True, "saving.include_ema": True}
    kind = kind_of(config(CHANGES | averaged), facts())
    assert kind is not None
    often = averaged | {"intervals.save_every_epochs": 5, "saving.on_save": True}
    found = estimated([replace(pace, kind=kind)], often)
    assert found is not None and found.exports == pytest.approx(2 * 2 * EXPORTED * 1e-9)
    none = estimated([replace(pace, export=None)], {"saving.export_when_done": False})
    assert none is not None and none.exports == 0
    unknown = estimated([replace(pace, export=None)])
    assert unknown is not None and unknown.exports is None and not unknown.is_whole


def test_rests_are_counted(pace: Pace) -> None:
    found = estimated([pace], {"intervals.pause_every_epochs": 5, "intervals.pause_seconds": 60.0})
    assert found is not None and found.rests == 60 and found.is_whole, "after the last step there is none"


@pytest.mark.parametrize(("every", "count"), [(50, 4), (60, 3), (500, 2), (0, 0)])
def test_validations_are_counted_before_the_first_step_and_after_the_last_too(
    pace: Pace, every: int, count: int
) -> None:
    found = estimated([replace(pace, validation=1.5)], {"intervals.validate_every_steps": every})
    assert found is not None and found.validations == 1.5 * count
    unknown = estimated([pace], {"intervals.validate_every_steps": every})
    assert unknown is not None and unknown.is_whole is (every == 0)


def test_class_pictures_that_are_there_take_no_time(pace: Pace) -> None:
    from tests.planning.example import scan_of

    held = facts(prior_scans=(scan_of(20, folder="/class"),))
    found = estimated([pace], {"concepts.0.prior.directory": "/class"}, held)
    assert found is not None and found.class_pictures == 4 * 40 * 0.25


@pytest.mark.parametrize(
    "other",
    [
        {"performance.gradient_checkpointing": True},
        {"lora.enabled": True},
        {"model.resolution": 768},
        {"performance.text_encoder_ratio": 0.5},
        {"concepts.0.prior.images_per_instance": 0},
        {"performance.mixed_precision": "no"},
        {"performance.compile": True},
        {"batch.size": 4},
        {"batch.accumulation": 2},
        {"performance.optimizer": "adafactor"},
        {"performance.weights": "bf16"},
        {"performance.attention": "sdpa"},
        {"performance.ema": True},
        {"performance.cache_latents": False},
        {"performance.threads": 2},
        {"performance.deterministic": True},
        {"performance.train_unet": False, "performance.text_encoder_ratio": 1.0},
    ],
)
def test_a_run_of_another_kind_tells_nothing(pace: Pace, other: dict[str, Any]) -> None:
    assert estimated([pace], other) is None


def test_what_auto_becomes_is_the_same_kind(pace: Pace) -> None:
    assert estimated([pace], {"performance.optimizer": "adamw"}) is not None


@pytest.mark.parametrize("other", [{"lora.rank": 64}, {"lora.text_encoder_rank": 8}, {"lora.targets": "all"}])
def test_adapters_of_another_size_tell_nothing(other: dict[str, Any]) -> None:
    lora = {"lora.enabled": True, "learning_rate.rate": "auto"}
    kind = kind_of(config(CHANGES | lora), facts())
    assert kind is not None
    assert estimated([Pace(kind, picture=1.0)], lora) is not None
    assert estimated([Pace(kind, picture=1.0)], lora | other) is None


def test_another_card_or_number_of_processes_tells_nothing(pace: Pace) -> None:
    assert estimated([pace], world=facts(machine=card())) is None
    assert estimated([pace], world=facts(processes=2)) is None
    assert estimated([]) is None


def test_the_newest_of_the_same_kind_counts_and_older_ones_fill_its_gaps(pace: Pace) -> None:
    newest = Pace(pace.kind, picture=1.0)
    stranger = Pace(replace(pace.kind, family="sdxl"), picture=99.0, save=99.0)
    found = estimated([stranger, newest, pace])
    assert found is not None and (found.training, found.saves, found.start) == (120.0, 7.0, 30.0)


def test_what_no_run_measured_stays_unknown_and_previews_stand_in_for_class_pictures(pace: Pace) -> None:
    found = estimated([replace(pace, class_denoising=None, save=None, start=None)])
    assert found is not None and not found.is_whole
    assert found.class_pictures == 24 * 40 * 0.5 and found.saves is None and found.start is None
    assert found.total == pytest.approx(240 + 24 * 40 * 0.5 + 20 + EXPORTED * 1e-9)


def test_no_previews_take_no_time_even_where_nobody_measured_one(pace: Pace) -> None:
    found = estimated([replace(pace, denoising=None)], {"concepts.0.sample.count": 0})
    assert found is not None and found.previews == 0


def test_denoising_steps_are_the_mean_of_what_is_made() -> None:
    two = config({"concepts.0.sample.steps": 10, "concepts.1.sample.steps": 40, "concepts.1.sample.count": 2},
                 concepts=2)  # fmt: skip
    assert sampling_steps(two) == 30
    assert sampling_steps(config({"concepts.0.sample.count": 0})) == 0
