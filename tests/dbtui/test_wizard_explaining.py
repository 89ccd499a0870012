"""What the foot of a step says of a field where it has no room for all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.widgets._toast import Toast

from core.config.findings import Fix
from core.config.table import find_option, option_table
from core.texts import message
from dbtui.app import DbtuiApp
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.context import WizardContext
from dbtui.wizard.explaining import HINT_LINES, explain, help_of, shortened
from dbtui.wizard.flow import start
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, row_of, shown, until


@pytest.mark.parametrize(
    "text", ["A word and another. " * 20, "一步一步地学习，每一步都看一张图片。" * 10, "word" * 100]
)
@pytest.mark.parametrize("width", [40, 76])
def test_a_text_that_is_too_long_ends_with_the_key_that_shows_the_rest(text: str, width: int) -> None:
    said = shortened(text, width)
    assert said.plain.endswith("… F1 shows all") and text.startswith(said.plain.partition("…")[0])
    assert len(said.wrap(width)) == HINT_LINES


def test_a_text_that_fits_is_whole() -> None:
    assert shortened("Two short sentences. They fit.", 76).plain == "Two short sentences. They fit."


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (
            ("learning_rate.rate", "performance.text_encoder_rate"),
            ["Learning rate: Set it to 2e-4", "Text encoder rate: Set it to 2e-4"],
        ),
        (("learning_rate.rate", "learning_rate.rate"), ["Set it to 2e-4", "Set it to 2e-4"]),
    ],
)
async def test_ways_to_mend_several_fields_say_which_field_each_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: tuple[str, str], named: list[str]
) -> None:
    fixes = [Fix(message("fix.rate", "Set it to {rate:g}", rate=0.0002), {path: 0.0002}) for path in paths]
    monkeypatch.setattr(WizardScreen, "_fixes", lambda _: fixes)
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        start(app, tmp_path, None)
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        app.screen.action_fix()
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert [answer.title for answer in app.screen.answers] == named


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_what_is_mended_is_asked_by_its_name_and_told_without_covering_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size, notifications=True) as pilot:
        wrong = {"batch.size": "4", "intervals.save_every_epochs": "900"}
        screen = await open_wizard(pilot, "parameters", FILLED | wrong)

        async def asked() -> str:
            await pilot.press("f2")
            await until(pilot, lambda: isinstance(app.screen, Question))
            assert isinstance(app.screen, Question)
            title = app.screen.title_text
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is screen)
            return title

        assert screen.focused_row is not None and screen.focused_row.path == "intervals.epochs"
        assert await asked() == "What shall be mended?"
        row_of(screen, "batch.size").control.focus()
        assert await asked() == "Which way?"
        row_of(screen, "intervals.save_every_epochs").control.focus()
        assert await asked() == "Save every: which way?"
        await pilot.press("f2", "1")
        await until(pilot, lambda: screen.query(Toast))
        (notice,) = app._notifications
        assert (notice.title, notice.message) == ("Mended: Save every", "Set it to 25")
        toast = screen.query_one(Toast)
        await until(pilot, lambda: toast.region.height)
        for place in ("#ending", "#hint", "Footer"):
            assert not toast.region.overlaps(screen.query_one(place).region)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("learning_rate.rate", "Takes: auto, or a number above 0 and up to 1"),
        ("performance.ema", "Takes: on or off"),
        ("learning_rate.scheduler", "polynomial: Falls as a power"),
        ("performance.optimizer", "adamw: "),
        ("lora.text_encoder_rank", "How much the text encoder's matrices can hold."),
    ],
)
def test_help_says_what_a_field_takes_and_what_its_choices_do(tmp_path: Path, path: str, said: str) -> None:
    lines = explain(WizardContext(tmp_path), path, find_option(path)).lines
    text = "\n".join(f"{line.head.plain}{line.text.plain}" for line in lines)
    assert said in text
    assert "true" not in text


def test_help_of_a_number_says_first_what_suits_the_demo_where_that_is_the_source(tmp_path: Path) -> None:
    context = WizardContext(tmp_path)
    option = find_option("learning_rate.rate")
    assert help_of(context, option) == option.help
    context.edit("model.source", "demo")
    assert help_of(context, option).startswith("2.5e-4 suits the demo. For other models: How far each update goes.")
    assert help_of(context, find_option("learning_rate.scheduler")) == find_option("learning_rate.scheduler").help


def test_everyday_titles_have_a_line_each() -> None:
    assert [option.title for option in option_table() if not option.more and len(option.title) > 23] == []


def test_no_help_speaks_of_the_field_above_it() -> None:
    assert [option.path for option in option_table() if re.match("The same[, ](?!seed)|What they", option.help)] == []


@pytest.mark.usefixtures("no_disk")
async def test_f1_on_a_path_says_what_tab_does_in_its_list(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts")
        assert "↓ goes into the list" in screen.guidance().plain
        row_of(screen, "concepts.0.instance.identifier").control.focus()
        await pilot.pause()
        assert "goes into the list" not in screen.guidance().plain


async def test_f2_on_a_field_that_only_typing_mends_says_what_is_wrong_with_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        wrong = {"concepts.0.prior.images_per_instance": "100000", "concepts.0.instance.identifier": "dog"}
        screen = await open_wizard(pilot, "concepts", FILLED | wrong)
        row_of(screen, "concepts.0.prior.images_per_instance").control.focus()
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert isinstance(app.screen, Question)
        told = f"{app.screen.title_text}\n{app.screen.text}"
        assert told.startswith("Class pictures each: F2 cannot mend this\n")
        assert "must be a whole number from 0 to 1,000" in told and told.endswith("elsewhere on this screen:")
        assert all(answer.title.startswith("Identifier: ") for answer in app.screen.answers)


@pytest.mark.parametrize("path", ["instance.directory", "prior.images_per_instance", "sample.count"])
async def test_no_notice_lies_over_the_focused_field_and_what_is_wrong_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        wrong = {"concepts.0.prior.images_per_instance": "100000", "concepts.0.sample.count": "9999"}
        screen = await open_wizard(pilot, "concepts", FILLED | wrong)
        row = row_of(screen, f"concepts.0.{path}")
        row.control.focus()
        await pilot.press("escape")
        await until(pilot, lambda: screen.query(Toast) and screen.query_one(Toast).region.height)
        await at_rest(pilot)
        assert not screen.query_one(Toast).region.overlaps(row.region)


@pytest.mark.usefixtures("no_disk")
async def test_help_that_has_no_room_says_which_key_shows_all_of_it(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await open_wizard(pilot, "model", FILLED)
        row_of(screen, "preset").control.focus()
        await until(pilot, lambda: "▼ F1 shows all of it" in shown(app))
        row_of(screen, "model.name").control.focus()
        await until(pilot, lambda: "▼ F1 shows all of it" not in shown(app))
