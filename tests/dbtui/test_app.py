"""The frame: what is loaded, what the keys do everywhere, and that nothing on a screen is obeyed or breaks it."""

from __future__ import annotations

import ast
import asyncio
import io
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.command import Command, CommandInput, CommandList
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

import dbtui
from core.runs.again import Share
from core.runs.folder import Run
from dbtui.actions import ACTIONS, actions, bindings
from dbtui.app import EXPORT, DbtuiApp
from dbtui.drafts import STEPS, Draft, save_draft
from dbtui.home.exporting import export
from dbtui.home.screen import HomeScreen
from dbtui.widgets.guidance import Guidance, active_in, keys_of
from dbtui.widgets.question import Question
from dbtui.wizard.concepts import ConceptsScreen
from dbtui.wizard.model import ModelScreen
from dbtui.wizard.parameters import ParametersScreen
from dbtui.wizard.review import ReviewScreen
from tests.dbtui.app_driving import FILLED, HOSTILE, at_rest, imagined, open_wizard, shown, until
from tests.dbtui.synthetic import SyntheticRun

HEAVY = ("torch", "numpy", "PIL", "pydantic", "core.config", "typer", "tomlkit", "diffusers", "transformers",
         "textual_plot", "textual_image", "textual_autocomplete", "tokenizers")  # fmt: skip


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)


def test_the_app_is_imported_without_anything_that_the_first_frame_does_not_need() -> None:
    code = f"import sys, dbtui.app, dbtui.terminal.session; print([name for name in {HEAVY!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_action_of_a_screen_has_a_method_that_does_it() -> None:
    places = {"everywhere": DbtuiApp, "home": HomeScreen, "wizard": ModelScreen, "model": ModelScreen,
              "concepts": ConceptsScreen, "parameters": ParametersScreen, "review": ReviewScreen}  # fmt: skip
    for action in ACTIONS:
        if action.place in places:
            of_app, name = action.id.startswith("app."), action.id.removeprefix("app.")
            assert hasattr(DbtuiApp if of_app else places[action.place], f"action_{name}"), action


def test_no_key_of_a_screen_is_given_away_twice() -> None:
    for places in (("everywhere", "home"), *(("everywhere", "wizard", step) for step in STEPS)):
        keys = [binding.key for binding in bindings(*places)]
        assert len(keys) == len(set(keys)), places


def test_every_notice_is_plain_text() -> None:
    """Names and what libraries say stand in them: brackets are no markup there."""
    for path in Path(dbtui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "notify":
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("markup") == "False", f"{path}:{node.lineno}"


async def test_f1_explains_and_escape_closes_what_is_on_top_but_never_the_screen(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot)
        await pilot.press("f1")
        assert isinstance(app.screen, Guidance)
        await until(pilot, lambda: "Preset" in shown(app))
        await pilot.press("end")
        await until(pilot, lambda: "Keys" in shown(app))
        await pilot.press("escape", "escape", "escape")
        assert app.screen is screen


async def test_what_works_everywhere_works_over_a_question_too_and_never_twice(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.press("t")
        question = app.screen
        assert isinstance(question, Question)
        await pilot.press("f1")
        assert isinstance(app.screen, Guidance) and "the key in front of it" in app.screen.topic.plain
        assert "Graphics:" in app.screen.keys.plain and "Leave:" in app.screen.keys.plain
        assert "Language:" not in app.screen.keys.plain
        await pilot.press("f1")
        assert app.screen is question
        for key, place in (("ctrl+t", "looks"), ("ctrl+g", "graphics"), ("ctrl+p", "--command-palette")):
            await pilot.press(key, key)
            await until(pilot, lambda place=place: app.screen.id == place)  # type: ignore[misc]
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is question)
        await pilot.press("ctrl+l")
        assert app.screen is question, "its words would stay those of the language before"


@pytest.mark.parametrize("over", ["f1", "ctrl+t", "ctrl+g", "ctrl+c"])
async def test_the_menu_opens_once_whatever_lies_over_it(tmp_path: Path, over: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+p", over, "ctrl+p")
        await pilot.pause()
        assert [screen.id for screen in app.screen_stack].count("--command-palette") == 1


async def test_ctrl_c_asks_and_only_the_answer_leaves(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c")
        assert isinstance(app.screen, Question)
        await pilot.press("ctrl+c", "escape")
        assert isinstance(app.screen, HomeScreen)
        await pilot.press("ctrl+c", "l")
        await until(pilot, lambda: not app.is_running)
    assert app.return_value == 0


async def test_a_notice_covers_no_question(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("ctrl+c")
        await pilot.pause()
        app.notify("Preview at step 200, seed 42", timeout=30)
        await until(pilot, lambda: any(toast.region.area for toast in app.screen.query("Toast")))
        (toast,) = app.screen.query("Toast")
        assert toast.region.area and not toast.region.overlaps(app.screen.query_one("#dialog").region)


async def test_ctrl_c_asks_in_the_middle_of_a_field_too(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await open_wizard(pilot, "concepts")
        await pilot.press("a", "ctrl+c")
        assert isinstance(app.screen, Question)


async def test_the_palette_offers_only_what_is_possible_now(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.pause()
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert any(title.startswith("New") for title in titles)
        assert not any(title.startswith(("Delete", "Resume", "Export")) for title in titles)


@pytest.mark.parametrize("step", ["", "concepts", "review"])
async def test_the_menu_lists_what_the_help_lists_and_first_what_the_footer_shows(tmp_path: Path, step: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.pause()
        if step:
            await open_wizard(pilot, step, dict(FILLED))
        seen = [one.binding for one in active_in(app.screen) if one.enabled and one.binding.tooltip]
        told = {one.description for one in seen} - {"Menu"}
        shown_first = {one.description for one in seen if one.show}
        await pilot.press("ctrl+p")
        titles = await in_the_menu(pilot)
        assert set(titles) == told and "Language" in titles
        assert set(titles[: len(shown_first)]) == shown_first


@pytest.mark.parametrize(
    ("typed", "found"), [("lang", "Language"), ("语言", "Language"), ("dark", "Looks"), ("kitty", "Graphics")]
)
async def test_the_menu_finds_by_the_words_of_the_help_too(tmp_path: Path, typed: str, found: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("ctrl+p", *typed)
        await until(pilot, lambda: app.screen.query_one(CommandInput).value == typed)
        assert (await in_the_menu(pilot))[0] == found
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Question))


async def in_the_menu(pilot: Pilot[int]) -> list[str]:
    """The titles, once all are there."""
    await at_rest(pilot)
    options = pilot.app.screen.query_one(CommandList).options
    return [str(option.hit.text).partition("  (")[0] for option in options if isinstance(option, Command)]


async def test_a_command_of_the_palette_does_what_its_key_does(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.pause()
        new = next(command for command in app.get_system_commands(app.screen) if command.title.startswith("New"))
        await new.callback()  # type: ignore[misc]
        await until(pilot, lambda: isinstance(app.screen, ModelScreen))


@pytest.mark.parametrize("size", [(20, 5), (1, 1)])
async def test_no_screen_breaks_in_a_tiny_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    save_draft(tmp_path, Draft("20250101-120000-aaaa", texts={"model.name": "clock"}))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f1", "escape", "ctrl+p", "escape", "ctrl+c", "escape")
        screen = await open_wizard(pilot, "model", dict(FILLED))
        for step in STEPS:
            await screen.wizard.go(step)
            await pilot.pause()
            await pilot.press("f1", "escape", "f2", "escape", "down", "pagedown")


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_shown_and_nothing_in_them_is_obeyed(tmp_path: Path, name: str) -> None:
    texts = dict.fromkeys(("model.name", "model.source", "concepts.0.instance.directory",
                           "concepts.0.instance.identifier", "concepts.0.instance.class_noun",
                           "concepts.0.instance.prompt", "batch.size"), name)  # fmt: skip
    save_draft(tmp_path, Draft("20250101-120000-aaaa", texts=texts))
    app = DbtuiApp(tmp_path / name.replace("/", "|"))
    app.home.mkdir()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert_plain(shown(app))
        screen = await open_wizard(pilot, "model", texts)
        for step in STEPS:
            await screen.wizard.go(step)
            await until(pilot, lambda: not screen.wizard.is_busy)
            await pilot.press("f1")
            assert_plain(shown(app))
            await pilot.press("escape", "f6")
            assert_plain(shown(app))
        app.say(ValueError(name))
        await pilot.pause()
        assert_plain(shown(app))
        assert app.is_running


def assert_plain(text: str) -> None:
    assert not any(character in text for character in "\x1b\x9b\x07\u202e")


def test_without_colours_every_state_still_has_a_mark_and_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbtui.states import STATES

    told = [(mark, words) for state, (mark, words, _) in STATES.items() if state != "unknown"]
    assert all(mark and words for mark, words in told)
    monkeypatch.setenv("NO_COLOR", "1")
    assert DbtuiApp(tmp_path).no_color


def test_every_phase_has_a_state_of_its_own_but_what_comes_before_the_run_is_begun() -> None:
    from dbtui.states import PHASES, STATES

    assert set(PHASES) - set(STATES) == {"libraries"}


@pytest.mark.parametrize("background", [False, True])
async def test_a_started_run_is_shown_unless_somebody_went_on_to_another_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: bool
) -> None:
    handle = SimpleNamespace(running=True, paused=False, step=None)
    gate = threading.Event()

    def in_background(run: Run, resume: bool) -> int:
        gate.wait(20)
        return 4711

    monkeypatch.setattr("core.runs.launch.launch_thread", lambda run, resume, on_event: handle)
    monkeypatch.setattr("core.runs.launch.launch_background", in_background)
    opened: list[str] = []
    monkeypatch.setattr(DbtuiApp, "open_run", lambda self, name: opened.append(name))
    run = SyntheticRun(tmp_path, "clock")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.start_run(run, resume=False, background=background)
        if background:
            await open_wizard(pilot)
            gate.set()
            await until(pilot, lambda: all(worker.is_finished for worker in app.workers))
            assert not opened
        else:
            await until(pilot, lambda: opened == ["clock"])
            assert app.handle_of(run) is handle and app.handle_of(SyntheticRun(tmp_path, "dog")) is None


async def test_a_second_run_is_not_started_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.launch.launch_thread", lambda run, resume, on_event: pytest.fail("it started"))
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        app.training, app.training_run = (
            SimpleNamespace(running=True, paused=False, step=None),
            SyntheticRun(tmp_path, "dog"),
        )  # type: ignore[assignment]
        assert not await app.launch(SyntheticRun(tmp_path, "clock"), resume=False, background=False)
        await until(pilot, lambda: any("already" in notice.message for notice in app._notifications))


@pytest.mark.parametrize("background", [True, False])
async def test_a_run_that_goes_on_gets_as_many_processes_as_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: bool
) -> None:
    asked: list[dict[str, Any]] = []

    def launch(run: Run, resume: bool, on_event: object = None, **given: Any) -> Any:
        asked.append(given)
        return SimpleNamespace(running=False)

    monkeypatch.setattr("core.runs.launch.launch_thread", launch)
    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    monkeypatch.setattr("core.runs.again.share_of", lambda run: Share(2, ("GPU-0", "GPU-1")))
    app, run = DbtuiApp(tmp_path), SyntheticRun(tmp_path, "clock")
    async with app.run_test():
        assert await app.launch(run, resume=True, background=background)
        assert await app.launch(run, resume=True, background=background, cards=("GPU-2",))
        assert await app.launch(run, resume=False, background=background)
    assert asked == [{"cards": ("GPU-0", "GPU-1")}, {"cards": ("GPU-2",)}, {}]


async def test_what_stands_in_the_way_of_a_start_is_said_and_the_app_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(run: Run, resume: bool) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        app.start_run(SyntheticRun(tmp_path, "clock"), resume=False, background=True)
        await until(pilot, lambda: any("unavailable" in notice.message for notice in app._notifications))
        assert isinstance(app.screen, HomeScreen)


async def test_leaving_while_a_model_is_written_says_that_it_ends(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.run_worker(asyncio.sleep(20), group=EXPORT)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "A model is being written" in shown(app))
        app.workers.cancel_all()


async def test_a_notice_stands_once_where_a_question_is_asked_over_it(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.notify("Nobody has read this", severity="warning", timeout=60)
        await until(pilot, lambda: "Nobody has read" in shown(app), 4)
        app.action_leave()
        await until(pilot, lambda: isinstance(app.screen, Question) and "Nobody has read" in shown(app), 4)
        await pilot.pause(0.3)
        app.notify("Nor this", timeout=60)
        await until(pilot, lambda: "Nor this" in shown(app), 4)
        assert shown(app).count("Nobody has read") == 1 and shown(app).count("Nor this") == 1
        await pilot.press("escape")
        await until(pilot, lambda: "Nobody has read" in shown(app) and "Nor this" in shown(app))


async def test_what_only_informed_goes_when_a_screen_opens_and_what_went_wrong_stays(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.notify("It was only said", timeout=60)
        app.notify("It went wrong", severity="error", timeout=60)
        await until(pilot, lambda: "only said" in shown(app) and "went wrong" in shown(app), 4)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Guidance) and "went wrong" in shown(app), 4)
        assert "only said" not in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and "went wrong" in shown(app), 4)
        assert "only said" not in shown(app)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_the_notice_of_an_export_has_the_name_of_the_file_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    name = "a-clock-that-stood-in-the-hall-step-000600.safetensors"
    path = tmp_path / "some-where-far" / "runs" / "a-clock" / "exports" / name

    class Child:
        returncode = 0

        async def communicate(self) -> tuple[bytes, bytes]:
            return f"{path}, 4.27 GB\nmore".encode(), b""

    async def started(*command: str, **more: Any) -> Child:
        return Child()

    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size, notifications=True) as pilot:
        monkeypatch.setattr("dbtui.home.exporting.asyncio.create_subprocess_exec", started)
        await export(app, tmp_path, "a-clock", "diffusers")
        await until(pilot, lambda: "Exported" in shown(app), 4)
        assert name in shown(app) and "4.27 GB" in shown(app) and "some-where" in shown(app)


async def test_the_notice_of_an_export_tells_what_was_written_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / "clock" / "export"
    folder.mkdir(parents=True)

    class Child:
        returncode = 0

        async def communicate(self) -> tuple[bytes, bytes]:
            for name in ("clock.ckpt", "clock.ckpt.configs.json"):
                (folder / name).touch()
            return f"{folder}/clock.ckpt, 4.27 GB\n".encode(), b""

    async def started(*command: str, **more: Any) -> Child:
        return Child()

    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        monkeypatch.setattr("dbtui.home.exporting.asyncio.create_subprocess_exec", started)
        await export(app, tmp_path, "clock", "ckpt")
        await until(pilot, lambda: "clock.ckpt.configs.json lies beside it" in " ".join(shown(app).split()), 4)


async def test_what_is_exported_already_is_said_and_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.home.exporting.export_of", lambda run, *how: run.exports / "clock.safetensors")
    monkeypatch.setattr("dbtui.home.exporting.asyncio.create_subprocess_exec", lambda *how, **more: pytest.fail("no"))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await export(app, tmp_path, "clock", "safetensors")
        await until(pilot, lambda: "Exported already" in shown(app), 4)
        assert (
            "clock.safetensors" in shown(app) and "clock/export" in shown(app) and "u in the list of runs" in shown(app)
        )
        assert "Exporting" not in shown(app)


def test_no_screen_takes_a_key_that_means_something_everywhere_or_twice() -> None:
    everywhere = {key for action in actions("everywhere") for key in action.keys.split(",")}
    for places in (("wizard", "model"), ("wizard", "concepts"), ("wizard", "parameters"), ("wizard", "review")):
        keys = [key for action in actions(*places) for key in action.keys.split(",")]  # type: ignore[arg-type]
        assert len(keys) == len(set(keys)) and not everywhere & set(keys)


@pytest.mark.parametrize("modal", [False, True])
async def test_a_screen_that_changes_below_an_opaque_one_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modal: bool
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        home = app.screen
        app.push_screen(Question("?", "", ()) if modal else Screen())
        await pilot.pause(0.2)
        drawn: list[Screen[Any]] = []
        monkeypatch.setattr(app, "_display", lambda screen, renderable: drawn.append(screen))
        home.query_one("#welcome", Static).update("changed")
        await pilot.pause(0.5)
        assert bool(drawn) == modal
        monkeypatch.undo()
        app.pop_screen()
        await until(pilot, lambda: "changed" in shown(app))


async def test_a_mistake_in_the_program_ends_the_app_in_words_and_the_log_has_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(tmp_path)
    app.error_console.file = io.StringIO()
    monkeypatch.setattr(HomeScreen, "action_new", lambda self: 1 / 0)
    monkeypatch.setattr(DbtuiApp, "is_training", True)
    app.training_run = SimpleNamespace(name="clock")  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("n")
            await pilot.pause(0.2)
    app._print_error_renderables()
    said = app.error_console.file.getvalue()
    assert "a fault of dbtui itself: ZeroDivisionError: division by zero" in said and "Traceback" not in said
    assert "train clock --resume" in said and str(tmp_path / "app.log") in said
    assert "1 / 0" in (tmp_path / "app.log").read_text()


async def test_the_key_that_leaves_is_the_same_over_a_dialog(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        for over in (app.screen, Question("Which?", "", ())):
            if over is not app.screen:
                app.push_screen(over)
                await pilot.pause()
            told = keys_of(app.screen).plain
            assert "Ctrl+C" in told and "Ctrl+Q" not in told
