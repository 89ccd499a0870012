from __future__ import annotations

import pytest

from core.config.options import RunConfig
from core.config.parsing import value_at
from core.config.table import did_you_mean, find_option, option_table
from core.texts import UserError


def test_every_option_says_what_it_is_and_has_a_default_in_the_configuration() -> None:
    for option in option_table():
        assert option.title and option.help and option.expectation, option.path
        assert value_at(RunConfig(), option.path.replace("*", "0")) == option.default, option.path


def test_titles_are_unique_within_a_table() -> None:
    titles = [(option.section, option.title) for option in option_table()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("intervals.epochs", "a whole number from 1 to 1,000,000"),
        ("performance.seed", "a whole number from -1 to 4,294,967,295"),
        ("learning_rate.rate", "auto, or a number above 0 and up to 1"),
        ("performance.text_encoder_ratio", "a number from 0 to 1"),
        ("saving.half", "true or false"),
        ("batch.incomplete", "one of error, wrap, drop"),
    ],
)
def test_limits_are_written_as_people_write_them(path: str, words: str) -> None:
    assert find_option(path).expectation == words


def test_no_limit_is_written_with_an_exponent() -> None:
    assert not [option.path for option in option_table() if "e+" in option.expectation or "e-" in option.expectation]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("batch.sizes", "batch.size"),
        ("btach.size", "batch.size"),
        ("btach", "batch"),
        ("concepts.0.instnce", "concepts.0.instance"),
        ("concepts.0.instance.dir", "concepts.0.instance.directory"),
        ("concepts.2.instnce.prompt", "concepts.2.instance.prompt"),
        ("learning_rate.weight_decay", "performance.weight_decay"),
        ("batch.rate", "learning_rate.rate"),
        ("concepts.1.prmpt", "concepts.1.prior.prompt"),
    ],
)
def test_a_wrong_name_gets_the_nearest_right_one(wrong: str, right: str) -> None:
    assert did_you_mean(wrong) == f" Did you mean {right}?"
    with pytest.raises(UserError, match=f"There is no option {wrong}"):
        find_option(wrong)


def test_a_name_like_nothing_gets_no_guess() -> None:
    assert did_you_mean("zzzz") == ""


@pytest.mark.parametrize("name", ["save_every", "sample_every"])
def test_no_interval_in_epochs_promises_what_the_one_in_steps_may_break(name: str) -> None:
    epochs, steps = (find_option(f"intervals.{name}_{unit}") for unit in ("epochs", "steps"))
    assert steps.title in epochs.help and "only" not in epochs.help
