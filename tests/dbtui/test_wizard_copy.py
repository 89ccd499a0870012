"""A copy of a run says of which, what preset that fits and what differs; it is the run, option by option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.presets import apply, load_presets
from core.families import FAMILIES
from core.runs.folder import Run
from dbtui.app import DbtuiApp
from dbtui.drafts import list_drafts, save_draft
from dbtui.home.again import draft_of
from dbtui.wizard.context import PRESET, WizardContext
from dbtui.wizard.flow import start
from dbtui.wizard.notes import lines_for
from tests.dbtui.app_driving import FILLED, imagined, shown, until

PRESETS = load_presets(None).known


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)


def made(home: Path, preset: str = "", family: str = "", lora: bool | None = None, **changes: Any) -> Run:
    config = RunConfig() if lora is None else with_changes(RunConfig(), {"lora.enabled": lora})
    if preset:
        config = apply(config, PRESETS[preset], family, lora)
    changes = {path.replace("__", "."): value for path, value in changes.items()}
    return Run.create(home, with_changes(config, {**FILLED, **changes}), "0", preset=preset)


def told(context: WizardContext) -> str:
    return " ".join(line.text for line in lines_for(context, PRESET, False))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("family", ["", *FAMILIES])
@pytest.mark.parametrize("lora", [None, True])
def test_the_preset_of_a_run_is_found_and_the_copy_is_the_run(
    tmp_path: Path, preset: str, family: str, lora: bool | None
) -> None:
    run = made(tmp_path, preset, family, lora)
    draft = draft_of(run)
    assert draft.preset == preset
    copied = WizardContext(tmp_path, draft).config
    assert copied == with_changes(run.config(), {"model.name": "clock-2"})


def test_what_differs_from_the_preset_is_named(tmp_path: Path) -> None:
    draft = draft_of(made(tmp_path, "face", intervals__epochs=50))
    context = WizardContext(tmp_path, draft)
    assert context.preset == "face"
    assert "A copy of clock. Other than in this preset: Epochs." in told(context)
    save_draft(tmp_path, context.draft())
    (restored,) = list_drafts(tmp_path)
    assert "A copy of clock. Other" in told(WizardContext(tmp_path, restored))


def test_what_differs_and_is_in_no_preset_is_named_too(tmp_path: Path) -> None:
    changes = {"concepts.0.instance.leave_out_unreadable": True, "concepts.0.prior.directory": "/class",
               "performance.seed": 7}  # fmt: skip
    context = WizardContext(tmp_path, draft_of(made(tmp_path, "face", **changes)))
    assert "Other than in this preset: Leave out unreadable pictures, Class pictures folder." in told(context)


def test_the_preset_is_the_one_it_was_made_from_and_not_one_that_fits_better(tmp_path: Path) -> None:
    style = PRESETS["style"].values_for("")
    changes = {path.replace("*", "0"): value for path, value in style.items()}
    run = Run.create(tmp_path, with_changes(RunConfig(), {**FILLED, **changes}), "0", preset="face")
    assert draft_of(run).preset == "face"


def test_a_preset_that_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    face = apply(RunConfig(), PRESETS["face"])
    for name, preset in (("old", ""), ("gone", "one-of-mine")):
        run = Run.create(tmp_path, with_changes(face, {**FILLED, "model.name": name}), "0", preset=preset)
        draft = draft_of(run)
        assert draft.preset == ""
        context = WizardContext(tmp_path, draft)
        assert context.config == with_changes(run.config(), {"model.name": f"{name}-2"})
        assert f"A copy of {name}, whose preset is not known" in told(context)
        assert "chosen before" not in told(context)


def test_the_class_folder_of_a_run_that_is_gone_is_not_copied(tmp_path: Path) -> None:
    gone, there = tmp_path / "runs" / "gone" / "class" / "dog", tmp_path / "pictures"
    run = made(tmp_path, concepts__0__prior__directory=str(gone))
    assert WizardContext(tmp_path, draft_of(run)).config.concepts[0].prior.directory == ""
    run = made(tmp_path, concepts__0__prior__directory=str(there), model__name="other")
    assert WizardContext(tmp_path, draft_of(run)).config.concepts[0].prior.directory == str(there)


async def test_it_stands_beside_the_preset(tmp_path: Path) -> None:
    draft = draft_of(made(tmp_path, "face"))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        start(app, tmp_path, draft)
        await until(pilot, lambda: "A copy of clock, which has this preset's values." in shown(app))
