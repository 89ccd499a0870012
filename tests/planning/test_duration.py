"""How long a run takes, by what former runs measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.planning.duration import Duration, Pace, estimate, kind_of, sampling_steps
from core.planning.facts import Facts
from core.planning.plan import make_plan
from tests.planning.example import card, config, facts

CHANGES = {"intervals.epochs": 10, "concepts.0.prior.steps": 40, "concepts.0.sample.steps": 20}


def estimated(paces: list[Pace], changes: dict[str, Any] | None = None, world: Facts | None = None) -> Duration | None:
    options, world = config(CHANGES | (changes or {})), world or facts()
    plan = make_plan(options, world)
    assert plan is not None
    return estimate(options, world, plan, paces)


@pytest.fixture
def pace() -> Pace:
    kind = kind_of(config(CHANGES), facts())
    assert kind is not None
    return Pace(kind, picture=2.0, denoising=0.5, class_denoising=0.25, save=7.0, start=30.0)


def test_each_part_is_its_figure_times_how_often(pace: Pace) -> None:
    found = estimated([pace])  # 12 pictures, 10 epochs, 24 class pictures of 40 steps, previews at 5 and 10, a save
    assert found is not None and found.is_whole
    assert found.training == 2.0 * 120
    assert found.class_pictures == 24 * 40 * 0.25
    assert found.previews == 2 * 20 * 0.5
    assert found.saves == 7.0 and found.start == 30.0
    assert found.total == 240 + 240 + 20 + 7 + 30


def test_a_larger_batch_has_fewer_steps_and_as_many_pictures(pace: Pace) -> None:
    found = estimated([pace], {"batch.size": 4})
    assert found is not None and found.training == 240


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
    ],
)
def test_a_run_of_another_kind_tells_nothing(pace: Pace, other: dict[str, Any]) -> None:
    assert estimated([pace], other) is None


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
    assert found.total == 240 + 24 * 40 * 0.5 + 20


def test_no_previews_take_no_time_even_where_nobody_measured_one(pace: Pace) -> None:
    found = estimated([replace(pace, denoising=None)], {"concepts.0.sample.count": 0})
    assert found is not None and found.previews == 0


def test_denoising_steps_are_the_mean_of_what_is_made() -> None:
    two = config({"concepts.0.sample.steps": 10, "concepts.1.sample.steps": 40, "concepts.1.sample.count": 2},
                 concepts=2)  # fmt: skip
    assert sampling_steps(two) == 30
    assert sampling_steps(config({"concepts.0.sample.count": 0})) == 0
