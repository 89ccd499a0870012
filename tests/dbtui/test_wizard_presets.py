"""Presets in the wizard: they follow the source and the method, and one's own are saved, listed and told of."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from core.config.options import RunConfig
from core.config.presets import load_preset, load_presets
from core.families.describe import SourceDescription
from core.planning.facts import Facts
from core.texts import UserError
from dbtui.app import DbtuiApp
from dbtui.widgets.question import Question
from dbtui.wizard import context as context_module
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.context import WizardContext
from dbtui.wizard.keeping import KeepPreset
from dbtui.wizard.looked import Looked
from dbtui.wizard.notes import lines_for
from dbtui.wizard.rows import Row
from tests.dbtui.app_driving import FILLED, HOSTILE, imagined, open_wizard, shown, until
from tests.planning.example import source as published

RATE, LORA, SOURCE = "learning_rate.rate", "lora.enabled", "model.source"


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for presets of one's own, empty; the disk is imagined, and a source with xl in its name is SDXL."""
    monkeypatch.setattr("dbtui.wizard.flow.survey", a_world)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "dbtui" / "presets"
    folder.mkdir(parents=True)
    return folder


def a_world(config: RunConfig, home: Path, *, decode: bool, resuming: bool = False) -> Facts:
    facts = imagined(config, home, decode=decode)
    assert isinstance(facts.source, SourceDescription) or facts.source is None
    if facts.source is None:
        return facts
    if "nowhere" in config.model.source:
        return replace(facts, source=UserError("source.missing", "It is not there."))
    if "xl" in config.model.source:
        return replace(facts, source=published("sdxl"))
    return facts


def looked_at(context: WizardContext) -> None:
    """What the screens do when the disk was read."""
    facts = a_world(context.config, context.home, decode=False)
    context.take(context.config, Looked(facts, tuple(() for _ in context.config.concepts), False))


def row_of(screen: WizardScreen, path: str) -> Row:
    return next(row for row in screen.query(Row) if row.path == path)


# --- overlays -----------------------------------------------------------------------------------------------------


async def test_turning_lora_on_brings_the_presets_numbers_for_it_into_the_fields_nobody_touched(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED), preset="style")
        assert row_of(screen, RATE).text == "2e-6"
        row_of(screen, "intervals.epochs").control.focus()
        await pilot.press("end", "backspace", "backspace", "backspace", "9")
        row_of(screen, LORA).control.focus()
        await pilot.press("space")
        await until(pilot, lambda: row_of(screen, RATE).text == "1e-4")
        assert row_of(screen, "lora.rank").text == "32"
        assert not row_of(screen, RATE).state.marked, "the preset chose it"
        assert row_of(screen, "intervals.epochs").text == "9", "what was typed stays"
        assert screen.context.config.learning_rate.rate == 1e-4 and screen.context.config.intervals.epochs == 9
        row_of(screen, LORA).control.focus()
        await pilot.press("space")
        await until(pilot, lambda: row_of(screen, RATE).text == "2e-6")
        assert row_of(screen, "lora.rank").text == "16" and row_of(screen, "intervals.epochs").text == "9"


async def test_another_source_brings_the_numbers_of_its_family(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "model", dict(FILLED), preset="low-memory")
        assert screen.context.text(LORA) == "false"
        field = row_of(screen, SOURCE).control
        assert isinstance(field, Input)
        field.focus()
        field.value = "/models/xl.safetensors"
        await until(pilot, lambda: screen.context.family == "sdxl")
        assert "LoRA on (was off)" in row_of(screen, "preset").state.lines[1].text
        await screen.wizard.go("parameters")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        await until(pilot, lambda: row_of(app.screen, LORA).text == "true")  # type: ignore[arg-type]
        assert isinstance(app.screen, WizardScreen)
        assert row_of(app.screen, RATE).text == "1e-4" and row_of(app.screen, "lora.rank").text == "8"


async def test_numbers_that_arrive_late_change_the_fields_that_are_seen_but_none_that_is_typed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED), preset="object")
        row, typed = row_of(screen, RATE), row_of(screen, "intervals.epochs")
        assert isinstance(typed.control, Input)
        with typed.prevent(Input.Changed):
            typed.control.value = "7"  # typed, and not known to the form yet
        screen.context.edit(LORA, "true")
        screen.show()
        assert row.text == "1e-4" and screen.context.text("intervals.epochs") == "100"
        assert typed.text == "7"


def test_a_choice_of_lora_by_hand_outlasts_a_source_that_is_not_known_for_a_while(tmp_path: Path) -> None:
    context = WizardContext(tmp_path)
    context.edit("preset", "low-memory")
    context.edit(SOURCE, "/models/xl")
    assert context.family == "" and context.text(LORA) == "false"
    looked_at(context)
    assert context.text(LORA) == "true" and not context.is_changed(LORA)
    context.edit(LORA, "false")
    assert (context.text(RATE), context.text("performance.weights")) == ("1e-6", "bf16")
    context.edit(SOURCE, "/models/x")
    assert context.family == "" and not context.is_changed(LORA)
    context.edit(SOURCE, "/models/xl")
    looked_at(context)
    assert context.text(LORA) == "false" and context.is_changed(LORA)
    context.put_back(LORA)
    assert (context.text(LORA), context.text("performance.weights")) == ("true", "fp32")


def test_a_family_that_was_named_counts_where_the_source_cannot_be_read(tmp_path: Path) -> None:
    context = WizardContext(tmp_path)
    context.edit("preset", "face")
    context.edit(SOURCE, "nowhere/xl")
    looked_at(context)
    (_, _, told) = lines_for(context, "preset", busy=False)
    assert "numbers for Stable Diffusion 1, as the model's kind is not known" in told.text
    context.edit("model.family", "sdxl")
    looked_at(context)
    assert context.text("performance.text_encoder_ratio") == "0"
    assert len(lines_for(context, "preset", busy=False)) == 2


def test_the_help_of_a_field_tells_each_presets_number_for_this_family_and_method(tmp_path: Path) -> None:
    from core.config.table import find_option
    from dbtui.wizard.explaining import explain

    context = WizardContext(tmp_path)
    context.edit(LORA, "true")
    assert "A face: 1e-4" in explain(context, RATE, find_option(RATE)).plain
    context.edit(LORA, "false")
    assert "A face: 1e-6" in explain(context, RATE, find_option(RATE)).plain


# --- one's own ----------------------------------------------------------------------------------------------------


async def keep(pilot: Pilot[int], name: str, title: str = "") -> None:
    """Ctrl+S, the name, the title, Ctrl+S."""
    app = pilot.app
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, KeepPreset))
    await write(pilot, name, title)


async def write(pilot: Pilot[int], name: str, title: str) -> None:
    for field, text in (("#preset-name", name), ("#preset-title", title)):
        pilot.app.screen.query_one(field, Input).value = text
    await pilot.press("ctrl+s")


async def test_the_present_values_become_a_preset_that_is_listed_and_chosen(tmp_path: Path, own: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        texts = FILLED | {"batch.size": "2", "concepts.0.sample.prompt": "sks at night"}
        screen = await open_wizard(pilot, "model", texts, preset="object")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Batch size 2" in shown(app))
        assert re.search(r"Not kept.*Preview[\s│]+prompt\.", shown(app), re.DOTALL)
        await write(pilot, "mine", "My things")
        await until(pilot, lambda: screen.context.preset == "mine")
        await until(pilot, lambda: "My things (yours)" in shown(app))
        saved = load_preset(own / "mine.toml")
        assert saved.title == "My things"
        assert saved.values["batch.size"] == 2 and saved.values["performance.text_encoder_ratio"] == 0.35
        assert not any(word in (own / "mine.toml").read_text() for word in ("sks", "alarm", "/pictures", "/models"))
        assert not screen.context.is_changed("batch.size") and screen.context.is_changed("concepts.0.sample.prompt")
        assert screen.context.config.batch.size == 2


@pytest.mark.parametrize(("key", "size"), [("r", 3), ("o", 2), ("escape", 2)])
async def test_a_preset_is_replaced_only_if_that_was_the_answer(tmp_path: Path, own: Path, key: str, size: int) -> None:
    (own / "mine.toml").write_text("[batch]\nsize = 2\n")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "parameters", FILLED | {"batch.size": "3"})
        await keep(pilot, "mine")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(app.screen, Question))
        await until(pilot, lambda: load_presets(own).known["mine"].values == {"batch.size": size})
        assert isinstance(app.screen, KeepPreset) == (key == "o")


async def test_the_name_of_one_of_the_programs_is_asked_about(tmp_path: Path, own: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "parameters", FILLED | {"batch.size": "3"})
        await keep(pilot, "face")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert list(own.iterdir()) == []
        await pilot.press("s")
        await until(pilot, lambda: (own / "face.toml").exists())


async def test_a_name_that_is_none_is_said_and_nothing_is_written(tmp_path: Path, own: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "parameters", FILLED | {"batch.size": "3"})
        await keep(pilot, "../x")
        await until(pilot, lambda: "Letters, digits" in shown(app))
        assert isinstance(app.screen, KeepPreset)
        await write(pilot, "", "x")
        await until(pilot, lambda: "It needs a name" in shown(app))
        assert list(own.iterdir()) == []


async def test_a_name_that_is_none_is_said_at_its_field_when_it_is_left(tmp_path: Path, own: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "parameters", FILLED | {"batch.size": "3"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, KeepPreset))
        await pilot.press(*"A face", "enter")
        await until(pilot, lambda: "Letters, digits" in shown(app))
        lines = shown(app).splitlines()
        place = next(number for number, line in enumerate(lines) if "A face" in line)
        assert "Letters, digits" in lines[place + 1]
        await pilot.press("shift+tab", "home", "delete", "delete")
        await until(pilot, lambda: "Letters, digits" not in shown(app))


def test_a_preset_keeps_no_number_of_the_demo(tmp_path: Path) -> None:
    context = WizardContext(tmp_path)
    context.edit("preset", "face")
    with_face = dict(context.keepable().values)
    context.edit(SOURCE, "demo")
    assert context.value("learning_rate.rate") == 2.5e-4
    assert dict(context.keepable().values) == with_face
    context.edit("intervals.epochs", "77")
    assert dict(context.keepable().values) == with_face | {"intervals.epochs": 77}


def test_nobody_is_told_that_a_number_of_the_demo_does_nothing(tmp_path: Path) -> None:
    context = WizardContext(tmp_path)
    context.edit(SOURCE, "demo")
    context.edit("concepts.0.instance.directory", "/pictures/clock")
    context.edit("concepts.0.prior.images_per_instance", "0")
    looked_at(context)
    found = {finding.code for finding in context.findings}
    assert "prior.off" in found and "class.options-unused" not in found
    context.edit("concepts.0.prior.steps", "30")
    assert "class.options-unused" in {finding.code for finding in context.findings}


async def test_a_field_that_holds_no_value_is_mended_first(tmp_path: Path, own: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", FILLED | {"batch.size": "x"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: screen.focused_row is not None and screen.focused_row.path == "batch.size")
        assert not isinstance(app.screen, KeepPreset)


async def test_saving_is_in_the_palette(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "review", dict(FILLED))
        assert any(command.title.startswith("Save as preset") for command in app.get_system_commands(app.screen))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
async def test_broken_and_hostile_presets_are_shown_and_stop_nothing(
    tmp_path: Path, own: Path, size: tuple[int, int]
) -> None:
    for number, name in enumerate(HOSTILE):
        title = name.encode("unicode_escape").decode().replace("\\x", "\\u00")
        (own / f"{name.replace('/', '_')}.toml").write_text(f'title = "{title * 20}"\n[batch]\nsize = {number + 1}\n')
    (own / "broken\x1b[31m.toml").write_text("[batch\n")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, "model", dict(FILLED))
        assert "broken\\x1b[31m.toml" in shown(app).replace("\n", "").replace(" ", "") or "cannot be read" in shown(app)
        row_of(screen, "preset").control.focus()
        await pilot.press("enter")
        await until(pilot, lambda: "A style" in shown(app))
        await pilot.press("end", "enter")
        await until(pilot, lambda: screen.context.preset in {name.replace("/", "_") for name in HOSTILE})
        await pilot.press("f1")
        await until(pilot, lambda: "Esc closes" in shown(app))
        text = shown(app)
        assert not any(control in text for control in ("\x1b", "\x07", "\x9b", "\u202e"))


async def test_a_draft_whose_preset_is_gone_says_so(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "model", dict(FILLED), preset="mi\x1bne")
        text = row_of(screen, "preset").state.lines[0].text
        assert "mi\\x1bne, chosen before, is no longer there" in text
        screen.context.edit("preset", "face")
        assert all("no longer there" not in line.text for line in lines_for(screen.context, "preset", busy=False))


def test_each_preset_reaches_the_configuration_of_the_run(tmp_path: Path, own: Path) -> None:
    (own / "mine.toml").write_text("[batch]\nsize = 2\n[when.sdxl.batch]\nsize = 3\n[when.sdxl.lora.batch]\nsize = 4\n")
    context = WizardContext(tmp_path)
    context.edit("preset", "mine")
    sizes: Callable[[], Any] = lambda: context.config.batch.size  # noqa: E731
    assert sizes() == 2
    context.edit(SOURCE, "/models/xl")
    looked_at(context)
    assert sizes() == 3
    context.edit(LORA, "true")
    assert sizes() == 4


async def test_presets_are_read_and_written_in_threads(
    tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their folder may lie on a disk that does not answer."""
    asked: list[bool] = []

    def watched(name: str) -> None:
        real = getattr(context_module, name)

        def seen(*given: Any, **more: Any) -> Any:
            asked.append(threading.current_thread() is threading.main_thread())
            return real(*given, **more)

        monkeypatch.setattr(context_module, name, seen)

    watched("load_presets")
    watched("save_preset")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "model", {**FILLED, "intervals.epochs": "7"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, KeepPreset))
        await pilot.press(*"mine", "ctrl+s")
        await until(pilot, lambda: screen.context.preset == "mine")
        await screen.in_other_words()
        assert screen.context.preset == "mine"
    assert len(asked) == 4 and not any(asked)


async def test_a_preset_that_was_passed_over_says_which_values_are_in_force_and_review_that_there_is_none(
    tmp_path: Path,
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "model", FILLED | {"intervals.epochs": "33"})
        row_of(screen, "preset").control.focus()
        await until(pilot, lambda: "Enter opens the list. A preset sets" in shown(app))
        await pilot.press("down")
        await until(pilot, lambda: "No preset is chosen" in shown(app))
        said = " ".join(line.text for line in row_of(screen, "preset").state.lines)
        assert "Epochs 33, Learning rate auto, Class pictures each 0" in said
        screen.context.edit("preset", "face")
        screen.show()
        await until(pilot, lambda: "No preset" not in shown(app))
        screen.context.edit("preset", "")
    app = DbtuiApp(tmp_path / "other")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        await until(pilot, lambda: "Preset         none, what the program begins with" in shown(app))
        screen.context.edit("preset", "face")
        screen.show()
        await until(pilot, lambda: "Preset         A face" in shown(app))


async def test_the_open_list_says_what_each_preset_is_for_and_the_field_only_which_one_it_is(tmp_path: Path) -> None:
    purposes = {"A face": "One person or one animal with a face of its own.",
                "A style": "The look of a painter, a film, a kind of drawing.",
                "A thing": "One thing you own: a toy, a clock, a shoe, a car.",
                "Little memory": "Any subject on a graphics card of 8 to 12 GB."}  # fmt: skip
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Little memory" in shown(app))
        lines = [line[27:].strip(" │") for line in shown(app).splitlines()]
        for title, purpose in purposes.items():
            assert lines[lines.index(title) + 1] == purpose
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "▼" in shown(app))
        field = next(line for line in shown(app).splitlines() if "▼" in line)
        assert "A style" in field and "The look" not in field
