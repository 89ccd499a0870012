"""Typing in the wizard: nothing that is slow loses or delays a key, and paths complete themselves."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot

from core.config.options import RunConfig
from core.planning.facts import Facts
from dbtui.app import DbtuiApp
from dbtui.drafts import list_drafts
from dbtui.wizard.asking import Asker
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.browse import Browse
from dbtui.wizard.completion import Listed, PathCompletion, list_folder
from dbtui.wizard.parts import Form
from dbtui.wizard.rows import Field, Line, Row
from tests.dbtui.app_driving import FILLED, at_rest, current, imagined, open_wizard, press, row_of, shown, until

pytestmark = pytest.mark.usefixtures("no_disk")


async def at_field(pilot: Pilot[Any], step: str, path: str) -> tuple[WizardScreen, Field]:
    """The wizard at `step`, and in it the field of `path`, which has the focus."""
    screen = await open_wizard(pilot, step)
    field = row_of(screen, path).control
    assert isinstance(field, Field)
    field.focus()
    await pilot.pause()
    return screen, field


async def test_keys_act_in_the_order_they_were_typed_however_slow_the_screen(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen, _ = await at_field(pilot, "parameters", "intervals.epochs")
        press(app, "backspace", "backspace", "backspace", "4", "0", "left", "backspace", "7")
        await until(pilot, lambda: screen.context.text("intervals.epochs") == "70")


async def test_a_number_in_full_width_digits_is_taken_as_it_is_meant(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen, _ = await at_field(pilot, "parameters", "intervals.epochs")
        press(app, *["backspace"] * 3, *"２０")
        await until(pilot, lambda: screen.context.config.intervals.epochs == 20)
        assert not row_of(screen, "intervals.epochs").state.lines


async def test_what_is_typed_without_a_pause_lands_in_the_fields_it_was_meant_for(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot)
        row_of(screen, "model.name").control.focus()
        await pilot.pause()
        press(app, *"clock", "tab", *"/m/a", "shift+tab", *"s", "enter", *"b", "up", *"2", "down", *"c")
        await until(pilot, lambda: screen.context.text("model.source") == "/m/abc")
        assert screen.context.text("model.name") == "clocks2"


@pytest.mark.parametrize("key", ["tab", "enter"])
async def test_a_whole_path_typed_without_a_pause_needs_no_completion(tmp_path: Path, key: str) -> None:
    for name in ("clock", "cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen, field = await at_field(pilot, "concepts", "concepts.0.instance.directory")
        press(app, *f"{tmp_path}/pictures/")
        await until(pilot, lambda: field.is_completing)
        press(app, *"elsewhere", key, *"sks")
        await until(pilot, lambda: screen.context.text("concepts.0.instance.identifier") == "sks")
        assert screen.context.text("concepts.0.instance.directory") == f"{tmp_path}/pictures/elsewhere"


async def test_a_list_that_opens_has_the_next_key_already(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot)
        row_of(screen, "preset").control.focus()
        await pilot.pause()
        press(app, "enter", "down", "down", "enter")
        await until(pilot, lambda: screen.context.preset == "style")
        await until(pilot, lambda: screen.focused is row_of(screen, "preset").control)


async def test_tab_takes_the_completion_while_its_list_is_open(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "clock").mkdir(parents=True)
    (tmp_path / "pictures" / "cat").mkdir()
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen, field = await at_field(pilot, "concepts", "concepts.0.instance.directory")
        press(app, *f"{tmp_path}/pictures/cl")
        await until(pilot, lambda: field.is_completing)
        await pilot.press("tab")
        await until(pilot, lambda: field.value.endswith("/pictures/clock/") and not field.is_completing)
        assert screen.focused is field
        await pilot.press("tab")
        assert screen.focused is not field


def two_folders(tmp_path: Path) -> Path:
    """Of one beginning; the name of the shorter is complete."""
    for name in ("clock/masks", "clockB"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
    return tmp_path / "pictures"


@pytest.mark.parametrize("key", ["tab", "enter"])
@pytest.mark.parametrize("end", ["clock", "clock/"])
async def test_tab_in_a_path_that_is_there_goes_on_with_it(tmp_path: Path, key: str, end: str) -> None:
    pictures = two_folders(tmp_path)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen, field = await at_field(pilot, "concepts", "concepts.0.instance.directory")
        press(app, *f"{pictures}/cl")
        await until(pilot, lambda: field.is_completing)
        press(app, *end[2:])
        await at_rest(pilot)
        press(app, key, *"sks")
        await until(pilot, lambda: screen.context.text("concepts.0.instance.identifier") == "sks")
        assert screen.context.text("concepts.0.instance.directory") == f"{pictures}/{end}"


async def test_down_goes_into_the_list_below_a_path_that_is_there(tmp_path: Path) -> None:
    pictures = two_folders(tmp_path)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        _, field = await at_field(pilot, "concepts", "concepts.0.instance.directory")
        press(app, *f"{pictures}/clock/")
        await until(pilot, lambda: field.is_completing)
        await at_rest(pilot)
        assert "Tab goes on" in shown(app)
        press(app, "down")
        await until(pilot, lambda: "Tab takes it" in shown(app))
        press(app, "tab")
        await until(pilot, lambda: field.value == f"{pictures}/clock/masks/")


async def test_a_path_that_is_there_and_was_not_typed_just_now_opens_no_list(tmp_path: Path) -> None:
    pictures = two_folders(tmp_path)
    (pictures / "gone-by").mkdir()
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        path = "concepts.0.instance.directory"
        screen = await open_wizard(pilot, "concepts", {path: f"{pictures}/gone"})
        row = row_of(screen, path)
        field = row.control
        assert isinstance(field, Field)
        field.focus()
        await at_rest(pilot)
        assert not field.is_completing and row.query_one(".message").visible


async def test_the_list_is_closed_after_a_folder_was_chosen_in_the_browser(tmp_path: Path) -> None:
    pictures = two_folders(tmp_path)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen, field = await at_field(pilot, "concepts", "concepts.0.instance.directory")
        press(app, *f"{pictures}/")
        await until(pilot, lambda: field.is_completing)
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, Browse))
        await at_rest(pilot)
        await pilot.press("down", "space")
        await until(pilot, lambda: app.screen is screen and field.value == f"{pictures}/clock")
        await at_rest(pilot)
        assert not field.is_completing and "6 pictures" in shown(app)


async def test_a_folder_that_does_not_answer_keeps_nobody_from_typing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clock").mkdir()
    (tmp_path / "cat").mkdir()
    gate, asked = threading.Event(), threading.Event()

    def stuck(folder: Path) -> Listed:
        asked.set()
        gate.wait(20)
        return list_folder(folder)

    monkeypatch.setattr("dbtui.wizard.completion.list_folder", stuck)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        _, field = await at_field(pilot, "concepts", "concepts.0.instance.directory")
        press(app, *f"{tmp_path}/c")
        await until(pilot, lambda: asked.is_set() and field.value == f"{tmp_path}/c")
        assert not field.is_completing
        gate.set()
        await until(pilot, lambda: field.is_completing)


async def test_the_list_of_completions_lies_over_no_error(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "clock").mkdir(parents=True)
    (tmp_path / "pictures" / "cat").mkdir()
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts")
        row = row_of(screen, "concepts.0.instance.directory")
        message = row.query_one(".message")
        field = row.control
        assert isinstance(field, Field)
        field.focus()
        await pilot.pause()
        press(app, *f"{tmp_path}/pictures/c")
        await until(pilot, lambda: field.is_completing)
        row.show(replace(row.state, lines=(Line("✗", "$text-error", "There is no such folder."),)))
        await pilot.pause()
        assert "no such folder" not in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: not field.is_completing)
        assert message.visible
        await pilot.press("down")
        await until(pilot, lambda: field.is_completing)
        assert not message.visible


@pytest.mark.parametrize("pasted", ["'/a/b c'", '"/a/b c"', "'/a/b c' ", "file:///a/b%20c", "/a/b\\ c\n"])
async def test_the_quotes_around_a_pasted_path_are_taken_off(tmp_path: Path, pasted: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts")
        field = row_of(screen, "concepts.0.instance.directory").control
        field.focus()
        field.post_message(events.Paste(pasted))
        await until(pilot, lambda: screen.context.text("concepts.0.instance.directory") == "/a/b c")
        assert field.value == "/a/b c"


async def test_typing_goes_on_while_a_slow_disk_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def slow(config: RunConfig, home: Path, *, decode: bool) -> Facts:
        gate.wait(20)
        return imagined(config, home, decode=decode)

    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot)
        monkeypatch.setattr("dbtui.wizard.flow.survey", slow)
        row = row_of(screen, "model.source")
        row.control.focus()
        await pilot.press("a")
        await until(pilot, lambda: screen.wizard.is_busy)
        await pilot.press("b", "c")
        await until(pilot, lambda: screen.context.text("model.source") == "abc")
        assert screen.wizard.is_busy
        gate.set()


async def test_what_was_found_for_an_older_text_is_not_shown_for_a_newer_one(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        assert screen.context.facts is not None and screen.context.facts.scan(0) is not None
        screen.context.edit("concepts.0.instance.directory", "/elsewhere")
        screen.context.edit("concepts.0.instance.identifier", "ohwx")
        assert screen.context.facts is not None and screen.context.facts.scan(0) is None
        assert screen.context.tokens(0) is None


async def test_the_last_question_counts_and_older_answers_are_dropped() -> None:
    gate = threading.Event()
    answers: list[tuple[str, str]] = []

    def work(question: str) -> str:
        if question == "old":
            gate.wait(20)
        return question.upper()

    class Bare(App[int]):
        pass

    app = Bare()
    async with app.run_test() as pilot:
        asker: Asker[str, str] = Asker(
            app, work, lambda question, answer: answers.append((question, answer)), pytest.fail, patience=0.01
        )
        asker.ask("old", at_once=True)
        asker.ask("never")
        asker.ask("new")
        await asyncio.sleep(0.1)
        gate.set()
        await until(pilot, lambda: not asker.is_busy)  # type: ignore[arg-type]
    assert answers == [("new", "NEW")]


@pytest.mark.parametrize("step", ["model", "concepts", "parameters"])
async def test_up_leads_back_from_the_button_to_the_last_field(tmp_path: Path, step: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, step, dict(FILLED))
        last = list(screen.query(Row))[-1].control
        last.focus()
        await pilot.press("down")
        await until(pilot, lambda: screen.focused is screen.query_one("#next"))
        await pilot.press("up")
        await until(pilot, lambda: screen.focused is last)


async def test_the_cursor_stands_behind_what_was_put_into_a_field(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen, field = await at_field(pilot, "parameters", "intervals.epochs")
        await pilot.press("home", "2", "f6")
        await until(pilot, lambda: field.value == "100")
        await pilot.press("0")
        await until(pilot, lambda: field.value == "1000")
        row_of(screen, "intervals.epochs").write("77777")
        await pilot.press("ctrl+u")
        await until(pilot, lambda: field.value == "")


async def test_a_number_is_replaced_by_what_is_typed_and_a_word_is_not(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED))
        await until(pilot, lambda: screen.focused_row is not None and screen.focused_row.path == "intervals.epochs")
        await pilot.press("2", "0")
        await until(pilot, lambda: screen.context.config.intervals.epochs == 20)
        await screen.wizard.go("model", "model.name")
        await until(pilot, lambda: app.screen is not screen and current(app).focused_row is not None)
        await pilot.press("2")
        await until(pilot, lambda: screen.context.config.model.name == FILLED["model.name"] + "2")


@pytest.mark.parametrize("path", ["learning_rate.rate", "batch.size"])
async def test_the_focused_field_is_seen_where_more_fields_come(tmp_path: Path, path: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED))
        await screen.go_to_field(path)
        for _ in range(2):
            await pilot.press("f5")
            await until(pilot, lambda: screen.is_ready and screen.focused_row is not None)
            await at_rest(pilot)
            assert screen.focused_row is not None and screen.focused_row.path == path
            form = screen.query_one(Form)
            assert form.region.contains_region(screen.focused_row.control.region)


async def test_next_goes_to_the_first_wrong_field_of_the_page(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        wrong = {"concepts.0.prior.images_per_instance": "9999999", "concepts.0.instance.identifier": ""}
        screen = await open_wizard(pilot, "concepts", FILLED | wrong)
        await screen.go_to_field("concepts.0.instance.prompt")
        await pilot.press("f4")
        await until(pilot, lambda: screen.focused_row and screen.focused_row.path == "concepts.0.instance.identifier")


@pytest.mark.parametrize(
    ("key", "next_step"), [("f4", "review"), ("f3", "concepts"), ("ctrl+f", ""), ("f5", "parameters")]
)
async def test_what_was_typed_just_before_the_page_is_left_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, next_step: str
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED))
        row_of(screen, "intervals.epochs").control.focus()
        await at_rest(pilot)
        monkeypatch.setattr(Row, "_tell", lambda row: None)  # a message that comes when the page has gone
        press(app, "ctrl+u", *"77", key, *([*"family", "enter"] if not next_step else []))
        await until(pilot, lambda: current(app).step == (next_step or "model"))
        await until(pilot, lambda: screen.context.text("intervals.epochs") == "77")


async def test_only_what_somebody_changed_is_ahead_of_what_is_known(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        for step in ("model", "concepts", "parameters"):
            screen = await open_wizard(pilot, step, FILLED | {"model.family": "none", "model.name": "a\x1b[31mb"})
            screen.context.more = True
            await screen.rebuild()
            await at_rest(pilot)
            assert [row.path for row in screen.query(Row) if row.is_ahead] == []


async def test_what_was_typed_just_before_the_wizard_is_left_is_in_the_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot, "model", dict(FILLED))
        assert screen.wizard.save()
        row_of(screen, "model.name").control.focus()
        await at_rest(pilot)
        screen.wizard.save()
        monkeypatch.setattr(Row, "_tell", lambda row: None)
        press(app, "end", "z", "f3")
        await until(pilot, lambda: not isinstance(app.screen, WizardScreen))
        drafts = list_drafts(tmp_path)
        assert [draft.texts["model.name"][-1] for draft in drafts] == ["z"]


async def test_the_line_below_the_list_says_what_tab_does(tmp_path: Path) -> None:
    for name in ("clock", "cat"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        _, field = await at_field(pilot, "concepts", "concepts.0.instance.directory")
        press(app, *f"{tmp_path}/pictures/clo")
        await until(pilot, lambda: field.is_completing)
        await at_rest(pilot)
        assert "Tab takes it" in shown(app) and "Tab goes on" not in shown(app)
        completion = app.screen.query_one(PathCompletion)
        completion.action_hide()
        completion._tell_keys()
        completion.action_show()  # as where the folder is listed only after all was typed
        assert "Tab takes it" in str(completion._keys.content)
        await pilot.press(*["backspace"] * 3)
        await at_rest(pilot)
        assert "Tab goes on" in shown(app) and "Tab takes it" not in shown(app)
