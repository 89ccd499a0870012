"""The app in Chinese: nothing English is left over, widths are right, and the language changes while it runs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.binding import Binding
from textual.command import CommandPalette
from textual.content import Content
from textual.dom import DOMNode
from textual.widgets._select import SelectOverlay

from core.config.searching import section_title
from core.config.table import option_table
from core.events import Done, Phase, Stopped
from core.languages import VARIABLE, texts_of
from core.runs.folder import Run
from core.runs.history import History
from core.settings import remembered
from core.texts import say, use_language
from dbtui.__main__ import main
from dbtui.actions import ACTIONS, _kinds, relabel
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft
from dbtui.home.rows import (
    AGE_CELLS,
    LOSS_CELLS,
    SIZE_CELLS,
    STATE_CELLS,
    STATES,
    Columns,
    Entry,
    ago,
    heads,
    line,
)  # fmt: skip
from dbtui.home.welcome import welcome
from dbtui.monitor.notices import notice
from dbtui.monitor.pane import TITLES as PANE_TITLES
from dbtui.widgets.guidance import Guidance
from dbtui.widgets.plot import Plot
from dbtui.widgets.question import Question
from dbtui.widths import break_lines_between_characters, centred, fitted, flush_right
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.finding import SECTION_CELLS, TITLE_CELLS
from dbtui.wizard.flow import start
from dbtui.wizard.rows import Choice
from dbtui.wizard.steps import STEPS as STEP_TITLES
from tests.dbtui import synthetic
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, shown, until
from tests.dbtui.monitor.bench import Bench, settle
from tests.dbtui.synthetic import SyntheticRun
from tests.dbtui.test_gallery import opened
from tests.dbtui.test_gallery import run as gallery_run  # noqa: F401 - a fixture
from tests.dbtui.test_home import a_step, begun, make_run
from tests.dbtui.test_home_looks import HOME, drafts, full, runs, summary  # noqa: F401 - a fixture

SIZES = [(80, 24), (120, 36), (160, 50)]
HOME_CELLS = 78
"""Of a line of the list of runs at 80 columns."""
LABEL_CELLS = 23
"""Of a field in the wizard (`Row .label`), less the space after it."""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv(VARIABLE, "en")
    for name in ("DBTUI_GRAPHICS", "TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def chinese() -> Iterator[None]:
    use_language(texts_of("zh"))
    relabel()
    break_lines_between_characters()
    yield
    use_language(None)
    relabel()


@pytest.fixture
def _english_again() -> Iterator[None]:
    yield
    use_language(None)
    relabel()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.usefixtures("chinese", "full")
def test_many_runs_look_as_they_did(size: tuple[int, int], snap_compare: Any) -> None:
    async def prepare(pilot: Any) -> None:
        await until(pilot, lambda: say("home.waits", "waits, no. {place}", place=1) in shown(pilot.app))
        pilot.app.screen._timer.pause()

    assert snap_compare(DbtuiApp(HOME), terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.usefixtures("chinese")
def test_the_gallery_looks_as_it_did(size: tuple[int, int], snap_compare: Any, gallery_run: Run) -> None:  # noqa: F811
    async def prepare(pilot: Any) -> None:
        await opened(pilot.app, pilot, gallery_run)
        await pilot.press("m", "left", "space")
        await settle(pilot)

    assert snap_compare(DbtuiApp(gallery_run.home), terminal_size=size, run_before=prepare)


@pytest.fixture
def locks() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("screen", ["home", "model", "concepts", "parameters", "review", "monitor", "help"])
@pytest.mark.usefixtures("chinese")
def test_screens_look_as_they_did(
    screen: str,
    size: tuple[int, int],
    snap_compare: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    locks: ExitStack,
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app: Any = DbtuiApp(Path("/imagined"))
    if screen == "monitor":
        run = SyntheticRun(tmp_path, "clock")
        synthetic.in_training(run)
        locks.enter_context(synthetic.held(run))
        app = Bench(run)

    async def prepare(pilot: Any) -> None:
        if screen not in ("home", "monitor"):
            start(app, tmp_path, Draft(id="20250101-120000-abcd", preset="face", texts=FILLED))
            await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
            await until(pilot, lambda: app.screen.context.looked is not None and app.screen.focused is not None)
            if screen in ("concepts", "parameters", "review"):
                await app.screen.wizard.go(screen)
                await until(pilot, lambda: app.screen.step == screen and app.screen.is_ready)
            await at_rest(pilot)
            if screen == "help":
                await pilot.press("f1")
                await until(pilot, lambda: isinstance(app.screen, Guidance))
        await at_rest(pilot)

    assert snap_compare(app, terminal_size=size, run_before=prepare)


@pytest.mark.usefixtures("_english_again")
async def test_the_language_changes_at_once_on_every_screen_and_is_remembered(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(), Phase(name="training"), a_step(150), Stopped(step=150, saved=True))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "150/600" in shown(app))
        start(app, tmp_path, None)
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        await until(pilot, lambda: "Source model" in shown(app) and "Next" in shown(app))
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("2")
        await until(pilot, lambda: "底模" in shown(app))
        now = shown(app)
        assert "下一步" in now and "帮助" in now and "Source model" not in now and "Next" not in now
        await until(pilot, lambda: remembered("language") == "zh")
        await pilot.press("f3")
        await until(pilot, lambda: "150/600" in shown(app))
        assert "已停止" in shown(app) and "从头训练" in shown(app) and "stopped" not in shown(app)
        await pilot.press("ctrl+l", "1")
        await until(pilot, lambda: "stopped" in shown(app) and "Start again" in shown(app))
        assert "已停止" not in shown(app)


@pytest.mark.usefixtures("_english_again")
async def test_the_footer_of_home_keeps_its_keys_where_the_language_changes(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(), Phase(name="training"), a_step(150), Stopped(step=150, saved=True))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "150/600" in shown(app) and "f1 Help" in shown(app))
        before = shown(app).splitlines()[-1]
        for key, word in (("2", "已停止"), ("1", "stopped")):
            await pilot.press("ctrl+l")
            await until(pilot, lambda: isinstance(app.screen, Question))
            await pilot.press(key)
            await until(pilot, lambda word=word: word in shown(app))
        await until(pilot, lambda: shown(app).splitlines()[-1] == before)


@pytest.mark.usefixtures("_english_again")
async def test_the_monitor_goes_on_in_the_other_language(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(), Phase(name="training"), a_step(150), Stopped(step=150, saved=True))
    app = DbtuiApp(tmp_path, attach="clock")
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Learning rate" in shown(app) and "Stopped at step 150" in shown(app))
        await pilot.press("ctrl+l", "2")
        await until(pilot, lambda: "学习率" in shown(app) and "停在第 150 步，已保存" in shown(app))
        assert "Stopped" not in shown(app) and "Learning" not in shown(app)


@pytest.mark.usefixtures("chinese")
async def test_chinese_screens_have_no_english_sentence(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(), Phase(name="training"), a_step(150), Stopped(step=150, saved=True))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "150/600" in shown(app))
        seen = [shown(app)]
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await at_rest(pilot)
        seen.append(shown(app))
        await pilot.press("escape", "n")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        for step in ("model", "concepts", "parameters", "review"):
            await app.screen.wizard.go(step)
            await at_rest(pilot)
            await pilot.press("f5")
            await at_rest(pilot)
            seen.append(shown(app))
    for text in seen:
        plain = text.replace(str(tmp_path), "")
        assert not re.search(r"\b(the|is|are|what|with|your|yours|and|this)\b", plain), plain


TEXTUALS = {"SelectOverlay", "CommandPalette", "PlotWidget"}
"""Widgets whose footer keys textual names in English: the first has ours in `Choice`, the palette has no footer, and
a plot takes no focus."""


def test_no_other_widget_of_textual_puts_words_of_its_own_into_the_footer() -> None:
    kinds = {kind for kind in _kinds(DOMNode) if not kind.__module__.startswith(("dbtui.", "tests."))}
    named = {kind.__name__ for kind in kinds for one in Binding.make_bindings(kind.__dict__.get("BINDINGS", ()))
             if one.show and one.description}  # fmt: skip
    assert named <= TEXTUALS
    assert not Plot.can_focus


@pytest.mark.usefixtures("chinese")
async def test_an_open_list_and_an_empty_search_speak_chinese(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_wizard(pilot, "model")
        app.screen.query(Choice).first().focus()
        await pilot.press("enter")
        await at_rest(pilot)
        assert isinstance(app.focused, SelectOverlay)
        assert "关闭" in shown(app)
        assert "Dismiss" not in shown(app)
        assert [one.binding.description for one in app.screen.active_bindings.values()
                if one.binding.key == "escape"] == ["关闭"]  # fmt: skip
        await pilot.press("escape")
        await at_rest(pilot)
        assert not isinstance(app.focused, SelectOverlay)
        await pilot.press("ctrl+p", *"qqqqxx")
        await until(pilot, lambda: "没有找到" in shown(app))


def test_labels_are_not_cut_at_80_columns(chinese: None) -> None:
    too_long = [option.title for option in option_table() if cell_len(option.title) > LABEL_CELLS]
    assert not too_long
    assert all(cell_len(words) <= 14 for _, words, _ in STATES.values())


@pytest.mark.usefixtures("spoken")
def test_the_first_steps_are_told_in_five_lines_that_fit() -> None:
    lines = [line for line in welcome().plain.split("\n")[1:] if line]
    assert len(lines) == 5 and max(cell_len(line) for line in lines) <= 76


@pytest.mark.usefixtures("spoken")
def test_every_label_fits_its_column_at_80_columns() -> None:
    """None touches the column beside it, whatever the language."""
    for entry in all_entries():
        entry = replace(entry, summary=entry.summary and replace(entry.summary, updated=time.time() - 59 * 60))
        told = line(entry, HOME_CELLS)
        head, row = cells(heads(HOME_CELLS)), cells(told.plain)
        assert len(head) == len(row) == HOME_CELLS
        for title in ("Run", "Progress"):
            place = len(cells(heads(HOME_CELLS).partition(say(f"home.{title.lower()}", title))[0]))
            assert row[place - 1] == " " and row[place] != ""  # not the second half of a wide one
        state, figures = row[: 3 + STATE_CELLS], row[3 + STATE_CELLS + Columns.of(HOME_CELLS).name :]
        assert "…" not in state and "…" not in figures
    for passed in (5, 59 * 60, 23 * 3600, 999 * 86400):
        assert cell_len(ago(time.time() - passed)) < AGE_CELLS
    for title, room in (("Loss", LOSS_CELLS), ("Size", SIZE_CELLS), ("Age", AGE_CELLS)):
        assert cell_len(say(f"home.{title.lower()}", title)) < room
    for option in option_table():
        assert cell_len(option.title) <= TITLE_CELLS and cell_len(section_title(option)) <= SECTION_CELLS
    assert cell_len(" ".join(f" 1 {title} " for title in PANE_TITLES.values())) <= 80
    assert cell_len("   ".join(f"1 {title} ✓" for title in STEP_TITLES.values())) <= 80


def cells(text: str) -> list[str]:
    """What stands in each cell; nothing in the second one of a wide character."""
    return [part for character in text for part in (character, *[""] * (cell_len(character) - 1))]


def all_entries() -> list[Entry]:
    made = [Entry(run.name, run.summary, place=run.place, bytes=run.bytes) for run in runs()]
    made += [Entry(draft.title, draft=draft) for draft in drafts()]
    for state in STATES.english:
        for place in (0, 42):
            made.append(Entry(state, summary(state, state, 99_999, 100_000, 0), place=place, bytes=999_900_000))
    return made


def test_a_width_counts_cells_and_not_characters() -> None:
    assert (fitted("任务", 6), fitted("任务名称", 5), flush_right("损失", 6), centred("左", 5)) == (
        "任务  ", "任务…", "  损失", " 左  ",
    )  # fmt: skip
    assert {cell_len(made("学习率 x", 11)) for made in (fitted, flush_right, centred)} == {11}


def test_lines_of_chinese_end_between_characters_and_never_begin_with_a_full_stop() -> None:
    break_lines_between_characters()
    text = "按 F2 修正这一栏的问题，或列出本页所有修正办法。Enter 打开“列表”（全部）。"
    for width in range(10, 40):
        lines = [line.plain for line in Content(text).wrap(width)]
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert not [line for line in lines if line.strip()[:1] in "。，；”）" or line.rstrip()[-1:] in "“（"]
        assert all(cell_len(line.rstrip()) <= width for line in lines)
        assert all(cell_len(line) > width - 12 for line in lines[:-1])
    english = "Anywhere: F1 helps, “a dog face” (no. 1) – and so on … until the end."
    assert [line.plain.strip() for line in Content(english).wrap(20)] == [
        "Anywhere: F1 helps,", "“a dog face” (no. 1)", "– and so on … until", "the end.",
    ]  # fmt: skip


@pytest.mark.usefixtures("_english_again")
def test_commands_speak_the_language_and_hand_it_to_their_children(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["runs", "--language", "zh", "--home", str(tmp_path)]) == 0
    assert "还没有任务" in capsys.readouterr().out
    child = subprocess.run([sys.executable, "-m", "dbtui", "runs"], capture_output=True, text=True, check=True)
    assert "还没有任务" in child.stdout
    assert main(["train", "--help"]) == 0
    assert "不用界面，在这个终端里训练" in capsys.readouterr().out.replace("\n", "")
    assert main(["runs", "--language=xx"]) == 2
    assert "zh" in capsys.readouterr().err


def test_every_action_has_a_title_that_fits_the_footer(chinese: None) -> None:
    from core.texts import in_force

    for action in ACTIONS:
        assert cell_len(in_force(f"action.{action.place}.{action.id}.title", action.title)) <= 12


def test_what_is_said_once_in_english_has_one_wording_in_chinese(chinese: None) -> None:
    from core.texts import in_force

    said: dict[str, set[str]] = {}
    for action in ACTIONS:
        said.setdefault(action.help, set()).add(in_force(f"action.{action.place}.{action.id}.help", action.help))
    assert {english: words for english, words in said.items() if len(words) > 1} == {}


def test_between_two_chinese_sentences_of_a_notice_stands_no_space(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run, history = SyntheticRun(tmp_path, "clock"), History()
    history.add([synthetic.started(), Done(step=600, seconds=1.0)])
    request.addfinalizer(lambda: use_language(None))
    use_language(texts_of("zh"))
    said = notice(run, history, Content(""), False, {}).plain  # type: ignore[arg-type]
    assert said and "。 " not in said
