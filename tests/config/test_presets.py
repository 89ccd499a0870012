from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.config.options import Concept, RunConfig
from core.config.parsing import value_at
from core.config.presets import (
    LARGEST,
    apply,
    built_in_directory,
    built_in_presets,
    load_preset,
    load_presets,
    user_presets_directory,
)
from core.families import FAMILIES
from core.languages import texts_of
from core.texts import UserError, use_language


@pytest.mark.parametrize(
    ("preset", "ratio", "class_pictures"), [("face", 0.7, 5), ("style", 0.2, 0), ("object", 0.35, 2)]
)
def test_a_preset_sets_what_it_is_known_for(preset: str, ratio: float, class_pictures: int) -> None:
    config = apply(RunConfig(concepts=(Concept(), Concept())), built_in_presets()[preset])
    assert config.performance.text_encoder_ratio == ratio
    assert [concept.prior.images_per_instance for concept in config.concepts] == [class_pictures] * 2
    assert config.learning_rate.warmup_steps == "10%"


def test_built_in_presets_say_when_to_choose_them() -> None:
    presets = built_in_presets()
    assert set(presets) >= {"face", "style", "object", "low-memory"}
    assert all(preset.title and len(preset.help) > 60 and "\n" not in preset.help for preset in presets.values())


def test_each_number_of_a_built_in_preset_has_its_source_in_the_files_own_list() -> None:
    for path in built_in_directory().glob("*.toml"):
        listed = {line.split()[1] for line in path.read_text().splitlines() if line.startswith("# [")}
        for line in path.read_text().splitlines():
            if "=" in line.partition("#")[0] and not line.startswith(("title", "help")):
                source = line.partition("# ")[2].partition("]")[0] + "]"
                assert source in listed, f"{path.name}: {line}"


@pytest.mark.parametrize("preset", built_in_presets().values(), ids=lambda preset: preset.id)
def test_small_matrices_get_the_rate_that_they_need_for_every_family(preset: object) -> None:
    assert isinstance(preset, type(built_in_presets()["face"]))
    for family in ("", *FAMILIES):
        assert apply(RunConfig(), preset, family, lora=True).rate == 1e-4
        assert apply(RunConfig(), preset, family, lora=False).rate <= 2e-6


def test_overlays_lie_over_the_rest_family_first_then_lora_then_both(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("""
        batch.size = 1
        intervals.epochs = 1
        [learning_rate]
        rate = 1e-6
        warmup_steps = 1
        [when.sdxl]
        learning_rate = {rate = 2e-6, warmup_steps = 2}
        batch.size = 2
        [when.sdxl.lora.learning_rate]
        rate = 4e-6
        [when.lora]
        learning_rate = {rate = 3e-6, warmup_steps = 3}
        [when.lora.lora]
        rank = 8
    """)
    preset = load_preset(tmp_path / "mine.toml")
    assert list(preset.when) == ["sdxl", "lora", "sdxl.lora"]

    def numbers(family: str, lora: bool) -> tuple[object, ...]:
        config = apply(RunConfig(), preset, family, lora)
        rates = config.learning_rate
        return rates.rate, rates.warmup_steps, config.batch.size, config.intervals.epochs, config.lora.rank

    assert numbers("sd1", False) == numbers("", False) == (1e-6, 1, 1, 1, 16)
    assert numbers("sdxl", False) == (2e-6, 2, 2, 1, 16)
    assert numbers("sd1", True) == (3e-6, 3, 1, 1, 8)
    assert numbers("sdxl", True) == (4e-6, 3, 2, 1, 8)


def test_a_preset_may_choose_lora_for_a_family_and_its_overlay_follows() -> None:
    preset = built_in_presets()["low-memory"]
    xl = apply(RunConfig(), preset, "sdxl")
    assert (xl.lora.enabled, xl.learning_rate.rate, xl.performance.weights) == (True, 1e-4, "fp32")
    whole = apply(RunConfig(), preset, "sdxl", lora=False)
    assert (whole.learning_rate.rate, whole.performance.weights) == (1e-6, "bf16")
    first = apply(RunConfig(), preset, "sd1")
    assert (first.lora.enabled, first.learning_rate.rate, first.performance.weights) == (False, 2e-6, "fp32")


def test_where_a_preset_leaves_lora_as_it_is_the_overlay_follows_the_configuration() -> None:
    config = RunConfig.model_validate({"lora": {"enabled": True}})
    assert apply(config, built_in_presets()["face"]).learning_rate.rate == 1e-4


def test_a_preset_leaves_what_it_does_not_name() -> None:
    config = RunConfig.model_validate({"batch": {"size": 3}, "model": {"name": "x"}})
    changed = apply(config, built_in_presets()["face"])
    assert (changed.batch.size, changed.model.name) == (3, "x")


def test_ones_own_preset_stands_beside_the_others_and_in_the_place_of_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[batch]\nsize = 2\n")
    (tmp_path / "face.toml").write_text('title = "My face"\n[concept.prior]\nimages_per_instance = 9\n')
    presets = load_presets(tmp_path).known
    assert set(presets) == {*built_in_presets(), "mine"}
    assert presets["mine"].title == "mine" and presets["face"].title == "My face"
    assert [name for name, preset in presets.items() if preset.is_own] == ["face", "mine"]
    assert value_at(apply(RunConfig(), presets["face"]), "concepts.0.prior.images_per_instance") == 9


DEEP, LARGE = "a = " + "[" * 20_000, "#" * (LARGEST + 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[batch\n", "cannot be read"),
        (DEEP, "cannot be read"),
        (LARGE, "far too large"),
        ("title = 3\n", "title must be a text"),
        ("[batch]\nsizes = 2\n", "batch.size"),
        ("[batch]\nsize = 0\n", "Batch size"),
        ("[[batch]]\nsize = 1\n", "batch"),
        ('[model]\nsource = "x"\n', "model.source"),
        ('[concept.instance]\nidentifier = "x"\n', "concepts.*.instance.identifier"),
        ('[tracking]\nwandb_project = "theirs"\n', "tracking.wandb_project"),
        ("when = 1\n", "[when]"),
        ("[when.sd9.batch]\nsize = 1\n", "sd1, sd2-base, sd2, sdxl and lora"),
        ("[when.sdxl.batch]\nsize = 0\n", "Batch size"),
        ("[when.sdxl.lora]\nrank = 8\n", "[when.sdxl.lora.lora]"),
        ("[when.lora]\nenabled = true\n", "[when.lora.lora]"),
        ("[when.lora.lora]\nenabled = false\n", "cannot turn LoRA on or off"),
        ('[when.sdxl.lora.model]\nname = "x"\n', "model.name"),
        (b"\xff\xfe", "not text in UTF-8"),
        ("FOLDER", "not a file"),
        ("PIPE", "not a file"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_preset_that_is_not_right_is_named_with_its_fault_and_stops_no_other(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = tmp_path / "mine.toml"
    if text == "FOLDER":
        path.mkdir()
    elif text == "PIPE":
        os.mkfifo(path)
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "other.toml").write_text("[batch]\nsize = 2\n")
    presets = load_presets(tmp_path)
    assert set(presets.known) == {*built_in_presets(), "other"}
    with pytest.raises(UserError) as caught:
        presets.find("mine")
    assert "mine.toml" in str(caught.value) and said in str(caught.value)


def test_a_folder_of_presets_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("a file")
    presets = load_presets(tmp_path / "presets")
    assert set(presets.known) == set(built_in_presets())
    assert [error.code for error in presets.broken.values()] == ["preset.unreadable"]


def test_own_presets_follow_the_desktops_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_presets_directory() == tmp_path / "dbtui" / "presets"


@pytest.mark.parametrize("language", [None, "zh"])
def test_what_suits_a_subject_stands_before_what_suits_a_computer(language: str | None) -> None:
    use_language(texts_of(language) if language else None)
    try:
        assert list(built_in_presets()) == ["face", "style", "object", "low-memory"]
    finally:
        use_language(None)


@pytest.mark.parametrize(
    ("language", "name", "id_"),
    [("zh", "物品", "object"), ("zh", "人脸", "face"), ("zh", "Object", "object"), ("en", "FACE", "face"),
     ("en", "a face", "face"), ("zh", "mine", "mine"), ("zh", "我的狗", "mine")],
)  # fmt: skip
def test_a_preset_is_found_by_its_title_and_in_capitals(tmp_path: Path, language: str, name: str, id_: str) -> None:
    (tmp_path / "mine.toml").write_text('title = "我的狗"\n[batch]\nsize = 1\n', encoding="utf-8")
    use_language(texts_of(language))
    try:
        assert load_presets(tmp_path).find(name).id == id_
    finally:
        use_language(None)


def test_a_name_of_no_preset_is_answered_with_ids_and_titles() -> None:
    use_language(texts_of("zh"))
    try:
        with pytest.raises(UserError, match=r"face（人脸）、style（画风）、object（物品）"):
            load_presets(None).find("狗")
    finally:
        use_language(None)
