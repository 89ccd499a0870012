from __future__ import annotations

from pathlib import Path

import pytest

from core.config.options import Concept, RunConfig
from core.config.parsing import value_at
from core.config.presets import apply, built_in_directory, load_presets, user_presets_directory
from core.texts import UserError


@pytest.mark.parametrize(
    ("preset", "ratio", "class_pictures"), [("face", 0.7, 5), ("style", 0.2, 0), ("object", 0.35, 2)]
)
def test_a_preset_sets_what_it_is_known_for(preset: str, ratio: float, class_pictures: int) -> None:
    config = apply(RunConfig(concepts=(Concept(), Concept())), load_presets(None)[preset])
    assert config.performance.text_encoder_ratio == ratio
    assert [concept.prior.images_per_instance for concept in config.concepts] == [class_pictures] * 2
    assert config.learning_rate.warmup_steps == "10%"


def test_built_in_presets_say_when_to_choose_them_and_set_the_same_options() -> None:
    presets = load_presets(None)
    assert set(presets) == {"face", "style", "object"}
    assert all(preset.title and len(preset.help) > 60 and "\n" not in preset.help for preset in presets.values())
    assert len({frozenset(preset.values) for preset in presets.values()}) == 1


def test_each_number_of_a_built_in_preset_has_its_source() -> None:
    for path in built_in_directory().glob("*.toml"):
        for line in path.read_text().splitlines():
            if "=" in line.partition("#")[0] and not line.startswith(("title", "help")):
                assert "# [" in line, f"{path.name}: {line}"


def test_a_preset_leaves_what_it_does_not_name() -> None:
    config = RunConfig.model_validate({"batch": {"size": 3}, "model": {"name": "x"}})
    changed = apply(config, load_presets(None)["face"])
    assert (changed.batch.size, changed.model.name) == (3, "x")


def test_ones_own_preset_stands_beside_the_others_and_in_the_place_of_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[batch]\nsize = 2\n")
    (tmp_path / "face.toml").write_text('title = "My face"\n[concept.prior]\nimages_per_instance = 9\n')
    presets = load_presets(tmp_path)
    assert set(presets) == {"face", "style", "object", "mine"}
    assert presets["mine"].title == "mine" and presets["face"].title == "My face"
    assert value_at(apply(RunConfig(), presets["face"]), "concepts.0.prior.images_per_instance") == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[batch\n", "cannot be read"),
        ("[batch]\nsizes = 2\n", "batch.size"),
        ("[batch]\nsize = 0\n", "Batch size"),
        ('[model]\nsource = "x"\n', "model.source"),
        ('[concept.instance]\nidentifier = "x"\n', "concepts.*.instance.identifier"),
    ],
)
def test_a_preset_that_is_not_right_is_named_with_its_fault(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_presets(tmp_path)
    assert "mine.toml" in str(caught.value) and said in str(caught.value)


def test_own_presets_follow_the_desktops_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_presets_directory() == tmp_path / "dbtui" / "presets"
