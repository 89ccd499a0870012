from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.choices.schedulers import SCHEDULERS, rate_at, warmup_updates

NAMES = st.sampled_from(sorted(SCHEDULERS))
FALLING = sorted(name for name, entry in SCHEDULERS.items() if entry.ends_low)
RATES = st.floats(1e-8, 1e-2)


@given(NAMES, st.integers(1, 400), st.data(), RATES)
def test_a_rate_is_never_above_the_chosen_one_nor_below_zero(
    name: str, total: int, data: st.DataObject, rate: float
) -> None:
    warmup, update = data.draw(st.integers(0, total)), data.draw(st.integers(0, total - 1))
    found = rate_at(name, update, total, warmup, rate)
    assert 0 <= found <= rate * (1 + 1e-12)


@pytest.mark.parametrize("name", sorted(name for name, entry in SCHEDULERS.items() if entry.warms_up))
@given(st.integers(2, 400), st.data(), RATES)
def test_update_n_of_the_warm_up_has_n_plus_one_parts_of_the_rate(
    name: str, total: int, data: st.DataObject, rate: float
) -> None:
    warmup = data.draw(st.integers(1, total - 1))
    rates = [rate_at(name, update, total, warmup, rate) for update in range(warmup + 1)]
    assert rates[:warmup] == [rate * (update + 1) / warmup for update in range(warmup)]
    assert rates[warmup - 1] == pytest.approx(rate) and rates[warmup] == pytest.approx(rate)


@pytest.mark.parametrize("name", FALLING)
@given(st.integers(2, 400), st.data(), RATES)
def test_a_falling_scheduler_falls_from_the_rate_to_the_final_rate_at_the_last_update(
    name: str, total: int, data: st.DataObject, rate: float
) -> None:
    warmup = data.draw(st.integers(0, total - 2))
    final = data.draw(st.floats(0, 1)) * rate
    rates = [rate_at(name, update, total, warmup, rate, final) for update in range(warmup, total)]
    assert rates[0] == pytest.approx(rate)
    assert rates[-1] == pytest.approx(final, abs=rate * 1e-12)
    assert all(later <= earlier + rate * 1e-12 for earlier, later in pairwise(rates))


@pytest.mark.parametrize("name", sorted(set(SCHEDULERS) - set(FALLING)))
@given(st.integers(1, 400), RATES, st.floats(0, 1))
def test_a_constant_scheduler_stays_and_knows_no_final_rate(name: str, total: int, rate: float, final: float) -> None:
    assert {rate_at(name, update, total, 0, rate, final) for update in range(total)} == {rate}


def test_constant_ignores_a_warm_up_that_it_does_not_have() -> None:
    assert rate_at("constant", 0, 100, 50, 1.0) == 1.0


def test_cosine_is_half_a_cosine() -> None:
    for update in range(101):
        expected = 0.5 * (1 + math.cos(math.pi * update / 100))
        assert rate_at("cosine", update, 101, 0, 1.0) == pytest.approx(expected, abs=1e-12)
    assert rate_at("cosine", 50, 101, 0, 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_run_of_one_update_has_the_full_rate(name: str) -> None:
    assert rate_at(name, 0, 1, 0, 2e-6) == 2e-6


def test_after_the_last_update_the_rate_stays_at_its_end() -> None:
    assert rate_at("cosine", 500, 100, 10, 1e-6, 1e-7) == pytest.approx(1e-7)


@pytest.mark.parametrize(
    ("asked", "total", "updates"),
    [(7, 100, 7), (0, 100, 0), ("10%", 100, 10), ("2.5%", 1000, 25), ("0%", 50, 0), ("100%", 50, 50), ("10%", 4, 0)],
)
def test_a_warm_up_is_a_number_of_updates_or_a_share_of_the_run(asked: int | str, total: int, updates: int) -> None:
    assert warmup_updates(asked, total) == updates


def test_every_entry_stands_under_its_own_id_with_words_for_people() -> None:
    assert all(name == entry.id and entry.title and entry.help for name, entry in SCHEDULERS.items())
