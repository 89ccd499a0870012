from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from core.config.options import Concept, RunConfig
from core.config.own_presets import as_toml, keepable, save_preset
from core.config.parsing import with_changes
from core.config.presets import NOT_FOR_PRESETS, apply, load_preset, load_presets
from core.config.table import generic, option_table
from core.texts import UserError
from tests.config.runs import run_configs

SUBJECT = {
    "model.name": "clock",
    "model.source": "/models/sd15",
    "model.resolution": 256,
    "concepts.0.name": "clock",
    "concepts.0.instance.directory": "/pictures/clock",
    "concepts.0.instance.identifier": "ohwx",
    "concepts.0.instance.class_noun": "alarm clock",
    "concepts.0.prior.directory": "/pictures/clocks",
    "concepts.0.sample.template_file": "/pictures/prompts.txt",
    "saving.export_name": "clock-2",
    "tracking.wandb_project": "clocks",
}


def test_a_preset_keeps_what_differs_from_the_programs_choice_and_nothing_of_the_subject() -> None:
    changes = {"batch.size": 2, "lora.enabled": True, "concepts.0.sample.count": 4, "learning_rate.warmup_steps": "5%"}
    kept = keepable(with_changes(RunConfig(), SUBJECT | changes | {"batch.accumulation": 1}))
    assert dict(kept.values) == {
        "concepts.*.sample.count": 4, "batch.size": 2, "lora.enabled": True, "learning_rate.warmup_steps": "5%",
    }  # fmt: skip
    assert kept.left_out == ()


@pytest.mark.parametrize("prompt", ["photo of ohwx", "an Alarm  Clock, night", "ohwx"])
def test_a_prompt_that_names_the_subject_is_left_out_and_said_to_be(prompt: str) -> None:
    kept = keepable(with_changes(RunConfig(), SUBJECT | {"concepts.0.sample.prompt": prompt}))
    assert dict(kept.values) == {}
    assert [option.path for option in kept.left_out] == ["concepts.*.sample.prompt"]
    general = with_changes(RunConfig(), SUBJECT | {"concepts.0.sample.prompt": "{identifier} {class} at night"})
    assert dict(keepable(general).values) == {"concepts.*.sample.prompt": "{identifier} {class} at night"}


def test_what_differs_between_concepts_is_left_out_and_said_to_be() -> None:
    changes = {"concepts.0.instance.repeats": 3, "concepts.0.sample.count": 2, "concepts.1.sample.count": 2}
    kept = keepable(with_changes(RunConfig(concepts=(Concept(), Concept())), changes))
    assert dict(kept.values) == {"concepts.*.sample.count": 2}
    assert [option.path for option in kept.left_out] == ["concepts.*.instance.repeats"]


@given(run_configs())
def test_what_was_kept_comes_back_whatever_it_was(tmp_path_factory: pytest.TempPathFactory, config: RunConfig) -> None:
    kept = keepable(config)
    path = tmp_path_factory.mktemp("presets") / "mine.toml"
    path.write_text(as_toml("Mine", kept.values), encoding="utf-8", newline="")
    preset = load_preset(path)
    assert dict(preset.values) == dict(kept.values)
    again = apply(RunConfig(concepts=tuple(Concept() for _ in config.concepts)), preset)
    assert dict(keepable(again).values) == dict(kept.values)


def test_nothing_that_belongs_to_a_run_could_be_kept() -> None:
    every = {option.path for option in option_table()}
    assert {name for name in NOT_FOR_PRESETS if not name.endswith(".")} <= every
    assert {generic(path) for path in SUBJECT} == {
        path for path in every if path.startswith(NOT_FOR_PRESETS) and not path.startswith("model.")
    } | {"model.name", "model.source", "model.resolution"}


def test_a_saved_preset_is_listed_and_never_replaced_unasked(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "presets"
    saved = save_preset(folder, "mine", "My \u202etitle\n", {"batch.size": 2})
    assert saved.is_own and load_presets(folder).known["mine"].title == "My \u202etitle"
    before = saved.path.read_text()
    with pytest.raises(UserError) as caught:
        save_preset(folder, "mine", "Other", {"batch.size": 3})
    assert caught.value.code == "preset.exists" and saved.path.read_text() == before
    assert save_preset(folder, "mine", "Other", {"batch.size": 3}, replace=True).values == {"batch.size": 3}
    (folder / "link.toml").symlink_to("nowhere")
    with pytest.raises(UserError):
        save_preset(folder, "link", "Link", {"batch.size": 3})


@pytest.mark.parametrize("name", ["", "../mine", "a/b", ".mine", "-mine", "mine\n", "\x1b[31m", "a b", "x" * 65])
def test_a_name_that_would_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        save_preset(tmp_path / "presets", name, "Mine", {"batch.size": 2})
    assert caught.value.code == "preset.name"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("a file")
    with pytest.raises(UserError):
        save_preset(tmp_path / "presets", "mine", "Mine", {"batch.size": 2})
