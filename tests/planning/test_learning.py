from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.choices.optimizers import OPTIMIZERS, Numbers
from core.choices.schedulers import Schedule, Shape
from core.config.options import PriorLossOptions
from core.planning.learning import numbers_of, prior_weight_at, schedule_of
from tests.planning.example import config


def test_a_prior_loss_that_is_not_scaled_keeps_its_weight() -> None:
    options = PriorLossOptions(weight=0.6, minimum=0.1, target_epoch=2)
    assert {prior_weight_at(options, step, 10) for step in range(50)} == {0.6}


def test_a_scaled_prior_loss_falls_along_a_line_to_its_minimum_at_the_end_of_the_target_epoch() -> None:
    options = PriorLossOptions(weight=0.9, scaled=True, minimum=0.1, target_epoch=4)
    weights = [prior_weight_at(options, step, 5) for step in range(40)]
    assert weights[0] == 0.9 and weights[10] == pytest.approx(0.5)
    assert weights[20:] == [pytest.approx(0.1)] * 20
    assert all(a - b == pytest.approx(0.04) for a, b in pairwise(weights[:21]))


@given(st.floats(0, 100), st.floats(0, 100), st.integers(1, 1000), st.integers(0, 10**6), st.integers(1, 100))
def test_a_scaled_weight_lies_between_its_ends(
    weight: float, minimum: float, target: int, step: int, steps_per_epoch: int
) -> None:
    options = PriorLossOptions(weight=weight, scaled=True, minimum=minimum, target_epoch=target)
    found = prior_weight_at(options, step, steps_per_epoch)
    assert min(weight, minimum) - 1e-9 <= found <= max(weight, minimum) + 1e-9


def test_the_options_reach_the_optimizer_and_the_schedule() -> None:
    chosen = config({"performance.betas": "0.8,0.95", "performance.eps": 1e-6, "performance.weight_decay": 0.2,
                     "learning_rate.scheduler": "polynomial", "learning_rate.power": 2.0, "learning_rate.cycles": 3,
                     "learning_rate.final_rate": 1e-8})  # fmt: skip
    assert numbers_of(chosen, "adamw") == Numbers((0.8, 0.95), 1e-6, 0.2)
    assert schedule_of(chosen.learning_rate, 100, 7) == Schedule("polynomial", 100, 7, 1e-8, Shape(3, 2.0))
    assert numbers_of(config(), "lion") == OPTIMIZERS["lion"].usual


@pytest.mark.parametrize("wrong", ["0.9", "0.9, 1", "0.9, 0.99, 0.999", "a, b", "1.0, 0.9", "-0.1, 0.9"])
def test_betas_are_two_numbers_below_one(wrong: str) -> None:
    from core.texts import UserError

    with pytest.raises(UserError, match=r"Betas must be auto, or two numbers from 0 to below 1"):
        config({"performance.betas": wrong})


@pytest.mark.parametrize(("option", "wrong"), [("eps", 0), ("eps", 2.0), ("weight_decay", -0.1), ("weight_decay", "x")])
def test_eps_and_weight_decay_are_auto_or_numbers_in_their_range(option: str, wrong: object) -> None:
    from core.texts import UserError

    with pytest.raises(UserError, match="must be auto, or a number"):
        config({f"performance.{option}": wrong})
