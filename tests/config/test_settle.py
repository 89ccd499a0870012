from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from core.config.options import Concept, RunConfig
from core.config.parsing import with_changes
from core.config.settle import absolute_paths, draw_seeds, name_concepts, settle
from core.texts import UserError
from tests.config.runs import run_configs


def nouns(*words: str) -> RunConfig:
    return RunConfig(concepts=tuple(Concept.model_validate({"instance": {"class_noun": word}}) for word in words))


@given(run_configs().filter(lambda config: "\\x00" not in repr(config)))
@settings(max_examples=25, deadline=None)
def test_settling_twice_changes_nothing_and_leaves_nothing_open(config: RunConfig) -> None:
    once = settle(config)
    assert settle(once) == once
    assert once.performance.seed >= 0 and all(concept.sample.seed >= 0 for concept in once.concepts)
    assert all(concept.name for concept in once.concepts)


def test_seeds_that_were_chosen_stay_and_others_are_drawn_one_by_one() -> None:
    config = with_changes(nouns("dog", "cat"), {"performance.seed": 7, "concepts.1.sample.seed": 9})
    numbers = iter(range(100, 200))
    drawn = draw_seeds(config, lambda: next(numbers))
    assert drawn.performance.seed == 7
    assert [concept.sample.seed for concept in drawn.concepts] == [100, 9]


def test_a_drawn_preview_seed_leaves_room_to_count_on() -> None:
    config = with_changes(RunConfig(), {"concepts.0.sample.count": 5})
    assert draw_seeds(config, lambda: 2**32 - 1).concepts[0].sample.seed + 4 == 2**32 - 1


def test_concepts_without_a_name_get_one_of_their_own() -> None:
    assert [concept.name for concept in name_concepts(nouns("Dog", "dog", "", "dog")).concepts] == [
        "dog", "dog-2", "concept-3", "dog-3",
    ]  # fmt: skip
    taken = with_changes(nouns("cat", "dog"), {"concepts.1.name": "CAT"})
    assert [concept.name for concept in name_concepts(taken).concepts] == ["cat-2", "CAT"]


def test_paths_no_longer_depend_on_where_the_program_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = with_changes(RunConfig(), {"model.source": "model", "concepts.0.instance.directory": "~/dog"})
    whole = absolute_paths(config)
    assert whole.model.source == str(tmp_path / "model")
    assert whole.concepts[0].instance.directory == str(tmp_path / "dog")
    assert whole.concepts[0].prior.directory == ""


def test_a_hub_id_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = with_changes(RunConfig(), {"model.source": "owner/name"})
    assert absolute_paths(config).model.source == "owner/name"


def test_the_home_of_a_user_who_does_not_exist_is_a_folder_name_like_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = with_changes(RunConfig(), {"concepts.0.instance.directory": "~nobody-of-this-name/x"})
    assert absolute_paths(config).concepts[0].instance.directory == str(tmp_path / "~nobody-of-this-name/x")


def test_a_path_that_no_system_can_hold_is_an_error_for_people() -> None:
    with pytest.raises(UserError, match="NUL"):
        absolute_paths(with_changes(RunConfig(), {"concepts.0.instance.directory": "a\0b"}))
