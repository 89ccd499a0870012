from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import diffusers.optimization
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from core.choices.schedulers import RISE, SCHEDULERS, START, Schedule, Shape, warmup_updates

NAMES = st.sampled_from(sorted(SCHEDULERS))
FALLING = sorted(name for name, entry in SCHEDULERS.items() if entry.ends_low)
ALWAYS_FALLING = sorted(set(FALLING) - {"cosine_with_restarts", "one_cycle"})
RATES = st.floats(1e-8, 1e-2)
SHAPES = st.builds(Shape, st.integers(1, 9), st.floats(0.1, 9))


@given(NAMES, st.integers(1, 400), st.data(), RATES, SHAPES)
def test_a_rate_is_never_above_the_chosen_one_nor_below_zero(
    name: str, total: int, data: st.DataObject, rate: float, shape: Shape
) -> None:
    warmup, update = data.draw(st.integers(0, total)), data.draw(st.integers(0, total - 1))
    assert 0 <= Schedule(name, total, warmup, shape=shape).rate_at(update, rate) <= rate * (1 + 1e-12)


@pytest.mark.parametrize("name", sorted(name for name, entry in SCHEDULERS.items() if entry.warms_up))
@given(st.integers(2, 400), st.data(), RATES)
def test_update_n_of_the_warm_up_has_n_plus_one_parts_of_the_rate(
    name: str, total: int, data: st.DataObject, rate: float
) -> None:
    warmup = data.draw(st.integers(1, total - 1))
    rates = [Schedule(name, total, warmup).rate_at(update, rate) for update in range(warmup + 1)]
    assert rates[:warmup] == [rate * (update + 1) / warmup for update in range(warmup)]
    assert rates[warmup - 1] == pytest.approx(rate) and rates[warmup] == pytest.approx(rate)


@pytest.mark.parametrize("name", FALLING)
@given(st.integers(4, 400), st.data(), RATES, SHAPES)
def test_a_falling_scheduler_ends_at_the_final_rate_at_the_last_update(
    name: str, total: int, data: st.DataObject, rate: float, shape: Shape
) -> None:
    warmup = data.draw(st.integers(0, total - 2))
    final = data.draw(st.floats(0, 1)) * rate
    schedule = Schedule(name, total, warmup, final, shape)
    rates = [schedule.rate_at(update, rate) for update in range(warmup if name != "one_cycle" else 0, total)]
    assert rates[-1] == pytest.approx(final, abs=rate * 1e-12)
    if name != "one_cycle":
        assert rates[0] == pytest.approx(rate)
    if name in ALWAYS_FALLING:
        assert all(later <= earlier + rate * 1e-12 for earlier, later in pairwise(rates))


@pytest.mark.parametrize("name", sorted(set(SCHEDULERS) - set(FALLING)))
@given(st.integers(1, 400), RATES, st.floats(0, 1))
def test_a_constant_scheduler_stays_and_knows_no_final_rate(name: str, total: int, rate: float, final: float) -> None:
    assert {Schedule(name, total, 0, final).rate_at(update, rate) for update in range(total)} == {rate}


def test_constant_ignores_a_warm_up_that_it_does_not_have() -> None:
    assert Schedule("constant", 100, 50).rate_at(0, 1.0) == 1.0


TOTAL, WARMUP = 101, 20
MADE: dict[str, tuple[Shape, float, Callable[[torch.optim.Optimizer], LRScheduler]]] = {
    "constant": (Shape(), 0.0, diffusers.optimization.get_constant_schedule),
    "constant_with_warmup": (
        Shape(), 0.0, lambda optimizer: diffusers.optimization.get_constant_schedule_with_warmup(optimizer, WARMUP),
    ),
    "linear": (
        Shape(), 0.0,
        lambda optimizer: diffusers.optimization.get_linear_schedule_with_warmup(optimizer, WARMUP, TOTAL - 1),
    ),
    "cosine": (
        Shape(), 0.0,
        lambda optimizer: diffusers.optimization.get_cosine_schedule_with_warmup(optimizer, WARMUP, TOTAL - 1),
    ),
    "cosine_with_restarts": (
        Shape(cycles=3), 0.0,
        lambda optimizer: diffusers.optimization.get_cosine_with_hard_restarts_schedule_with_warmup(
            optimizer, WARMUP, TOTAL - 1, num_cycles=3
        ),
    ),
    "polynomial": (
        Shape(power=2.5), 1e-4,
        lambda optimizer: transformers.get_polynomial_decay_schedule_with_warmup(
            optimizer, WARMUP, TOTAL - 1, lr_end=1e-4, power=2.5
        ),
    ),
    "one_cycle": (
        Shape(), 0.0,
        # torch puts the peak at share · updates - 1: its share of the updates is not that of the way.
        lambda optimizer: OneCycleLR(
            optimizer, 1e-2, total_steps=TOTAL, pct_start=(RISE * (TOTAL - 1) + 1) / TOTAL, div_factor=1 / START,
            final_div_factor=1e30, cycle_momentum=False,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_a_scheduler_equals_that_of_the_libraries(name: str) -> None:
    """Theirs reach the end one update after the last, hence `TOTAL - 1`; their warm-up starts at zero."""
    shape, final, make = MADE[name]
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1e-2)
    theirs = make(optimizer)
    start = WARMUP if SCHEDULERS[name].warms_up else 0
    schedule = Schedule(name, TOTAL, start, final, shape)
    for update in range(TOTAL):
        if update >= start:
            assert schedule.rate_at(update, 1e-2) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9, abs=1e-15)
        optimizer.step()
        if update < TOTAL - 1:
            theirs.step()


def test_rex_is_the_profile_of_its_paper() -> None:
    """Chen, Wolfe & Kyrillidis, arXiv 2107.04197, equation 1: (1 - z) / (1/2 + 1/2 (1 - z))."""
    schedule = Schedule("rex", 101)
    for update in range(101):
        left = 1 - update / 100
        assert schedule.rate_at(update, 1.0) == pytest.approx(left / (0.5 + 0.5 * left))


def test_restarts_go_back_to_the_full_rate_as_often_as_asked() -> None:
    rates = [Schedule("cosine_with_restarts", 101, shape=Shape(cycles=4)).rate_at(update, 1.0) for update in range(101)]
    assert [update for update in range(101) if rates[update] == 1.0] == [0, 25, 50, 75]


def test_one_cycle_rises_and_falls_once() -> None:
    rates = [Schedule("one_cycle", 101, final_rate=0.1).rate_at(update, 1.0) for update in range(101)]
    peak = rates.index(max(rates))
    assert peak == 30 and rates[peak] == pytest.approx(1.0)
    assert rates[:31] == sorted(rates[:31]) and rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[0] == pytest.approx(0.1 + 0.9 / 25) and rates[-1] == pytest.approx(0.1)


def test_cosine_is_half_a_cosine() -> None:
    for update in range(101):
        expected = 0.5 * (1 + math.cos(math.pi * update / 100))
        assert Schedule("cosine", 101).rate_at(update, 1.0) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_run_of_one_update_has_the_full_rate(name: str) -> None:
    assert Schedule(name, 1).rate_at(0, 2e-6) == 2e-6


def test_after_the_last_update_the_rate_stays_at_its_end() -> None:
    for name in FALLING:
        assert Schedule(name, 100, 10, 1e-7).rate_at(500, 1e-6) == pytest.approx(1e-7)


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_scheduler_takes_what_changes_it(name: str) -> None:
    def curve(shape: Shape) -> list[float]:
        return [Schedule(name, 50, shape=shape).rate_at(update, 1.0) for update in range(50)]

    assert (curve(Shape(cycles=3)) != curve(Shape())) == ("cycles" in SCHEDULERS[name].takes)
    assert (curve(Shape(power=3.0)) != curve(Shape())) == ("power" in SCHEDULERS[name].takes)


@pytest.mark.parametrize(
    ("asked", "total", "updates"),
    [(7, 100, 7), (0, 100, 0), ("10%", 100, 10), ("2.5%", 1000, 25), ("0%", 50, 0), ("100%", 50, 50), ("10%", 4, 0)],
)
def test_a_warm_up_is_a_number_of_updates_or_a_share_of_the_run(asked: int | str, total: int, updates: int) -> None:
    assert warmup_updates(asked, total) == updates


def test_every_entry_stands_under_its_own_id_with_words_for_people() -> None:
    assert all(name == entry.id and entry.title and entry.help for name, entry in SCHEDULERS.items())
