from __future__ import annotations

import pytest

from core.config.searching import find_options, section_title
from core.config.table import find_option, option_table


def paths(text: str) -> list[str]:
    return [option.path for option in find_options(text, option_table())]


def test_a_title_that_begins_with_the_words_comes_first() -> None:
    assert paths("learning r")[0] == "learning_rate.rate"
    assert paths("PREVIEW EV")[0] == "intervals.sample_every_epochs"


@pytest.mark.parametrize("text", ["prior_loss.weight", "prior loss weight", "weight prior"])
def test_words_may_stand_in_the_name_of_run_toml_and_in_any_order(text: str) -> None:
    assert "prior_loss.weight" in paths(text)


def test_every_word_has_to_stand_somewhere() -> None:
    assert paths("rate zebra") == []
    assert set(paths("text encoder rate")) < set(paths("rate"))


def test_help_words_find_too_but_come_last() -> None:
    found = paths("memory")
    assert "performance.gradient_checkpointing" in found
    titled = [path for path in found if "memory" in find_option(path.replace("*", "0")).title.lower()]
    assert found[: len(titled)] == titled


def test_nothing_asked_lists_every_option_in_its_order() -> None:
    assert paths(" ") == [option.path for option in option_table()]


def test_sections_are_called_by_their_titles() -> None:
    titles = {option.path: section_title(option) for option in option_table()}
    assert titles["concepts.*.prior.directory"] == "Prior preservation"
    assert titles["concepts.*.name"] and titles["intervals.epochs"] == "Intervals"
