"""What the monitor offers around a run's end: a notice, what to try after a failure, how to use an export, and other
runs behind this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from core import events
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Done, Failed, Paused, Stopped
from core.runs.folder import Run, list_runs
from core.settings import settings_path
from core.texts import UserError
from dbtui.announcing import signal_of
from dbtui.app import DbtuiApp
from dbtui.home.screen import HomeScreen
from dbtui.monitor.loss import LossPane
from dbtui.monitor.overlay import Overlay, overlay_question
from dbtui.monitor.screen import MonitorScreen
from dbtui.monitor.using import Found, UsingScreen
from dbtui.widgets.question import Question
from tests.dbtui import synthetic
from tests.dbtui.app_driving import shown, until
from tests.dbtui.synthetic import NOON, SyntheticRun
from tests.dbtui.test_footers import keys
from tests.dbtui.test_monitor import SteadyGauge, settle

NARROW, WIDE, VAST = (80, 24), (120, 36), (160, 50)
SIZES = pytest.mark.parametrize("size", [NARROW, WIDE, VAST], ids=["80x24", "120x36", "160x50"])
OUT_OF_MEMORY = Failed(code="memory.out", message="There was not enough memory to train.",
                       advice="What helps, the strongest first: batch.size = 1 with a larger batch.accumulation; a "
                       "smaller model.resolution. Close other programs that use the memory.", step=260,
                       time=NOON + 600)  # fmt: skip
SUBJECT = {"concepts.0.instance.identifier": "sks", "concepts.0.instance.class_noun": "alarm clock"}


def journal_of(run: Run) -> SyntheticRun:
    """Says events in the journal of a real run."""
    said = SyntheticRun.__new__(SyntheticRun)
    said.path, said.samples, said.journal_path = run.path, run.samples, run.journal_path
    return said


def make(home: Path, name: str, **changes: Any) -> Run:
    options = {path.replace("__", "."): value for path, value in changes.items()}
    return Run.create(home, with_changes(RunConfig(), {"model.name": name, **SUBJECT, **options}), "0")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import time

    from tests.planning.example import card

    monkeypatch.setattr("core.planning.remedies.inspect_machine", card)  # what may help depends on it
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TZ", "UTC")
    for name in ("TERM", "DBTUI_GRAPHICS", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make(tmp_path / "home", "clock", batch__size=4)


async def opened(app: DbtuiApp, pilot: Pilot[int], run: Run) -> MonitorScreen:
    monitor = MonitorScreen(run, None, gauge=SteadyGauge())  # type: ignore[arg-type]
    app.push_screen(monitor)
    await until(pilot, lambda: app.screen is monitor and monitor._knows_the_past)
    await settle(pilot)
    return monitor


# --- a failure ----------------------------------------------------------------------------------------------------


@SIZES
def test_snapshot_of_what_to_try(snap_compare: Any, run: Run, size: tuple[int, int]) -> None:
    synthetic.in_training(journal_of(run))
    journal_of(run).say(OUT_OF_MEMORY)
    (run.checkpoints / "step-000200").mkdir(parents=True)

    async def before(pilot: Pilot[int]) -> None:
        await opened(pilot.app, pilot, run)  # type: ignore[arg-type]
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await settle(pilot)

    assert snap_compare(DbtuiApp(run.home), terminal_size=size, run_before=before)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, RunConfig]]:
    """What was to be trained: name, whether it goes on, with which options."""
    seen: list[tuple[str, bool, RunConfig]] = []

    def launch(run: Run, resume: bool, on_event: Any) -> Any:
        seen.append((run.name, resume, run.config()))
        return SimpleNamespace(running=False, run=run)

    monkeypatch.setattr("core.runs.launch.launch_thread", launch)
    return seen


async def test_each_thing_to_try_has_a_key_and_one_that_keeps_the_update_goes_on_from_the_last_state(
    run: Run, launched: list[Any]
) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 260), OUT_OF_MEMORY)
    (run.checkpoints / "step-000200").mkdir(parents=True)
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        assert "F2 lists what may help" in shown(app)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        said = shown(app)
        assert "There was not enough memory" in said and "from step 200" in said and "new run" in said
        await pilot.press("1")
        await until(pilot, lambda: launched)
        name, resume, config = launched[0]
        assert (name, resume) == ("clock", True)
        assert (config.batch.size, config.batch.accumulation) == (1, 4)


async def test_a_change_that_the_saved_states_cannot_take_trains_a_new_run(run: Run, launched: list[Any]) -> None:
    nan = Failed(code="training.not-finite", message="No number.", advice="Lower the rate.", step=5, time=NOON)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 5), nan)
    (run.checkpoints / "step-000200").mkdir(parents=True)
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("1")
        await until(pilot, lambda: launched and getattr(app.screen, "run", run) != run)
        name, resume, config = launched[0]
        assert (name, resume) == ("clock-2", False)
        assert config.rate == run.config().rate / 2


@pytest.mark.parametrize(("began", "left"), [(False, ["clock"]), (True, ["clock", "clock-2"])])
async def test_a_new_run_that_does_not_start_is_not_left_behind_but_one_that_has_begun_stays(
    run: Run, monkeypatch: pytest.MonkeyPatch, began: bool, left: list[str]
) -> None:
    def refuse(copied: Run, resume: bool, on_event: Any) -> Any:
        if began:
            journal_of(copied).say(synthetic.started())
        raise UserError("launch.refused", "It cannot start.")

    monkeypatch.setattr("core.runs.launch.launch_thread", refuse)
    nan = Failed(code="training.not-finite", message="No number.", advice="Lower the rate.", step=5, time=NOON)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 5), nan)
    (run.checkpoints / "step-000200").mkdir(parents=True)
    (run.class_pictures / "dog").mkdir(parents=True)
    (run.class_pictures / "dog" / "1.png").write_bytes(b"x")
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        monitor = await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("1")
        await until(pilot, lambda: any("It cannot start." in notice.message for notice in app._notifications))
        await until(pilot, lambda: [found.name for found in list_runs(run.home)] == left)
        assert app.screen is monitor and (run.class_pictures / "dog" / "1.png").is_file()


async def test_before_anything_was_saved_the_same_run_begins_anew_with_the_change(
    run: Run, launched: list[Any]
) -> None:
    nan = Failed(code="training.not-finite", message="No number.", advice="Lower the rate.", time=NOON)
    journal_of(run).say(synthetic.started(), nan)
    before = run.config().rate
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "nothing was saved yet" in shown(app)
        await pilot.press("1")
        await until(pilot, lambda: launched)
        assert launched[0][:2] == ("clock", True) and launched[0][2].rate == before / 2


async def test_what_no_option_helps_against_can_be_tried_again_or_looked_up_in_the_log(run: Run) -> None:
    journal_of(run).say(synthetic.started(), Failed(code="internal", message="A mistake.", time=NOON))
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, run)
        for key, condition in (
            ("l", lambda: app.screen is monitor and monitor.maximised == "log"),
            ("r", lambda: isinstance(app.screen, Question) and "where?" in app.screen.title_text),
        ):
            await pilot.press("f2")
            await until(pilot, lambda: isinstance(app.screen, Question))
            assert len(app.screen.answers) == 2  # type: ignore[attr-defined]
            await pilot.press(key)
            await until(pilot, condition)  # type: ignore[arg-type]


async def test_a_damaged_run_toml_still_tells_what_happened(run: Run) -> None:
    journal_of(run).say(synthetic.started(), OUT_OF_MEMORY)
    run.config_path.write_text("[[[")
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "not enough memory" in shown(app)


async def test_where_the_model_cannot_be_fetched_another_one_is_chosen_with_all_else_as_it_was(tmp_path: Path) -> None:
    from dbtui.wizard.base import WizardScreen

    run = make(tmp_path / "home", "clock", model__source="owner/name", intervals__epochs=33)
    journal_of(run).say(Failed(code="source.unreachable", message="The hub cannot be reached.", advice="", step=None))
    app = DbtuiApp(run.home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, run)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "Choose another model, or its folder" in shown(app) and "Try again as it is" in shown(app)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        wizard = app.screen
        assert isinstance(wizard, WizardScreen)
        await until(pilot, lambda: wizard.focused_row is not None and wizard.focused_row.path == "model.source")
        assert wizard.context.config.intervals.epochs == 33 and wizard.context.config.model.name != "clock"


@pytest.mark.parametrize(("key", "reads"), [("f2", "mending.saved_steps"), ("o", "overlay.others")])
async def test_a_key_that_is_pressed_twice_asks_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, reads: str
) -> None:
    pressed = Event()
    module, name = reads.split(".")
    read = getattr(import_module(f"dbtui.monitor.{module}"), name)
    monkeypatch.setattr(f"dbtui.monitor.{reads}", lambda given: pressed.wait(9) and read(given))
    ours, _ = both(tmp_path / "home")
    journal_of(ours).say(OUT_OF_MEMORY)
    app = DbtuiApp(ours.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, ours)
        depth = len(app.screen_stack)
        await pilot.press(key, key, key)
        pressed.set()
        await until(pilot, lambda: len(app.screen_stack) > depth)
        await settle(pilot)
        await pilot.pause(0.1)
        assert len(app.screen_stack) == depth + 1


# --- the notice ---------------------------------------------------------------------------------------------------

DONE = Done(step=600, seconds=9, time=NOON)


@pytest.mark.parametrize(
    ("event", "term", "sent"),
    [
        (DONE, "xterm-256color", "\x1b]9;dbtui: clock is done: 600 steps.\x1b\\\a"),
        (DONE, "linux", "\a"),
        (DONE, "dumb", "\a"),
        (DONE, "", ""),
        (Failed(code="x", message="a;b\x1b[2J\x07\nc"), "xterm", None),
        (Stopped(step=3, saved=True), "xterm", ""),
        (Stopped(step=3, saved=True, reason="background"), "xterm", ""),
    ],
)
def test_the_terminal_rings_and_passes_on_a_notice(event: events.Event, term: str, sent: str | None) -> None:
    told = signal_of("clock", event, {"TERM": term})
    if sent is not None:
        assert told == sent
    else:
        inside = told.removeprefix("\x1b]9;").removesuffix("\x1b\\\a")
        assert "clock failed" in inside and not set(inside) & set(";\x1b\x07\n")


def test_silenced_nothing_is_sent() -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("[notify]\nsilent = true\n")
    assert signal_of("clock", DONE, {"TERM": "xterm"}) == ""


async def test_the_end_of_a_run_that_is_watched_is_told_once_and_one_of_the_past_not(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    lock = ExitStack()
    lock.enter_context(synthetic.held(run))
    journal_of(run).say(synthetic.started(), Failed(code="x", message="Long ago.", time=NOON - 9),
                        synthetic.started(), *synthetic.steps(1, 20))  # fmt: skip
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, run)
        sent: list[str] = []
        monkeypatch.setattr(app._driver, "write", sent.append)
        journal_of(run).say(DONE)
        lock.close()
        await monitor.look()
        await monitor.look()
        app._trained("clock", DONE)
        await settle(pilot)
        rung = [text for text in sent if "\x1b]9;" in text]
        assert len(rung) == 1 and "clock is done" in rung[0]
        assert not app._notifications


async def test_on_another_screen_the_end_is_shown_there(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        app._trained("clock", synthetic.step(1))
        app._trained("clock", DONE)
        await until(pilot, lambda: app._notifications)
        assert [notice.message for notice in app._notifications] == ["clock is done: 600 steps."]


# --- an export ----------------------------------------------------------------------------------------------------


@SIZES
def test_snapshot_of_how_to_use_it(snap_compare: Any, run: Run, size: tuple[int, int]) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    run.exports.mkdir()
    (run.exports / "clock.safetensors").touch()
    files = [Path("/home/me/dbtui/runs/clock/export/clock.safetensors")]
    environment = {"SSH_CONNECTION": "10.0.0.2 5000 192.168.1.7 22", "USER": "me"}
    using = UsingScreen(run, Found(files, run.config()), environment)

    async def before(pilot: Pilot[int]) -> None:
        await opened(pilot.app, pilot, run)  # type: ignore[arg-type]
        pilot.app.push_screen(using)
        await settle(pilot)

    assert snap_compare(DbtuiApp(run.home), terminal_size=size, run_before=before)


async def test_u_tells_how_to_use_an_export_and_y_copies_the_line_that_fetches_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 5000 192.168.1.7 22")
    monkeypatch.setenv("USER", "me")
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        monitor = await opened(app, pilot, run)
        assert "u Use it" not in keys(app)
        run.exports.mkdir()
        for name in ("clock.safetensors", "clock-step-000200.ckpt"):
            (run.exports / name).touch()
        await monitor.look()
        await pilot.press("u")
        await settle(pilot)
        said = shown(app)
        for words in ("models/Stable-diffusion", "ComfyUI/models/checkpoints", "a sks alarm clock"):
            assert words in said
        first = app.screen.path  # type: ignore[attr-defined]
        await pilot.press("y")
        assert app.clipboard == f"scp me@192.168.1.7:{first} ."
        await pilot.press("right")
        assert app.screen.path != first  # type: ignore[attr-defined]
        await pilot.press("escape")
        assert app.screen is monitor


async def test_u_where_nothing_is_exported_yet_says_so_and_exports_it_on_e(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("u")
        await until(pilot, lambda: "nothing of this run is saved" in shown(app))
        await pilot.press("e")
        assert isinstance(app.screen, UsingScreen)
        await pilot.press("escape")
        (run.checkpoints / "step-000020").mkdir(parents=True)
        await pilot.press("u")
        await until(pilot, lambda: "saved, but not exported" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "Export clock as what?" in shown(app))


async def test_u_while_it_trains_says_when_there_will_be_something_to_use(run: Run) -> None:
    journal = journal_of(run)
    journal.say(synthetic.started(), *synthetic.steps(1, 20))
    (run.checkpoints / "step-000020").mkdir(parents=True)
    app = DbtuiApp(run.home)
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await opened(app, pilot, run)
            assert "u Use it" not in keys(app)
            await pilot.press("u")
            await until(pilot, lambda: "the run still trains" in shown(app))
            assert "e exports it now" not in shown(app)


async def test_e_offers_the_state_that_was_marked_as_the_best(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.best import mark_best

    written: list[tuple[str, int | None]] = []

    async def write(app: Any, home: Path, name: str, chosen: str, step: int | None) -> None:
        written.append((chosen, step))

    monkeypatch.setattr("dbtui.home.exporting.export", write)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    for number in (200, 600):
        (run.checkpoints / f"step-{number:06d}").mkdir(parents=True)
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("e")
        await until(pilot, lambda: "Export clock as what?" in shown(app))
        await pilot.press("1")
        mark_best(run.path, 200)
        await pilot.press("e")
        await until(pilot, lambda: "you marked it as the best" in shown(app))
        await pilot.press("b", "2")
        await settle(pilot)
        assert written == [("safetensors", None), ("ckpt", 200)]


async def test_a_damaged_run_toml_is_said_instead_of_an_export(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    run.config_path.write_text("[[[")
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, run)
        await pilot.press("e")
        await until(pilot, lambda: app._notifications)
        assert "run.toml" in next(iter(app._notifications)).message and app.screen is monitor


# --- two runs -----------------------------------------------------------------------------------------------------


def both(home: Path) -> tuple[Run, Run]:
    ours, other = make(home, "clock"), make(home, "face-with-a-long-name")
    journal_of(ours).say(synthetic.started(), *synthetic.steps(1, 260))
    journal_of(other).say(synthetic.started(), *synthetic.steps(1, 400, prior=False), DONE)
    make(home, "never-trained")
    return ours, other


@SIZES
def test_snapshot_of_two_runs(snap_compare: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    ours, _ = both(tmp_path / "home")

    async def before(pilot: Pilot[int]) -> None:
        monitor = await opened(pilot.app, pilot, ours)  # type: ignore[arg-type]
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("enter")
        await until(pilot, lambda: monitor.query_one(LossPane).overlay is not None)
        await settle(pilot)

    assert snap_compare(DbtuiApp(ours.home), terminal_size=size, run_before=before)


async def test_o_lays_a_run_behind_this_one_follows_it_and_takes_it_away_again(tmp_path: Path) -> None:
    ours, other = both(tmp_path / "home")
    app = DbtuiApp(ours.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, ours)
        await pilot.press("3", "o")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "face-with-a-long-name" in shown(app) and "never-trained" not in shown(app)
        await pilot.press("1")
        loss = monitor.query_one(LossPane)
        await until(pilot, lambda: loss.overlay is not None)
        await settle(pilot)
        rows = [row.strip() for row in shown(app).splitlines()]
        assert any(row.startswith("clock (this run):") for row in rows)
        assert any(row.startswith("face-with-a-long-name (behind):  ◆ validation  ━ average") for row in rows)
        assert loss._made is not None and loss._made._x_max >= 400
        journal_of(other).say(*synthetic.steps(401, 500))
        await monitor.look()
        assert loss.behind() == ("face-with-a-long-name", 500)
        await settle(pilot)
        assert loss._made._x_max >= 500
        await pilot.press("o")
        await settle(pilot)
        assert loss.overlay is None and "face-with" not in shown(app) and loss._made._x_max < 300


def test_each_of_many_runs_has_a_key_of_its_own_as_long_as_there_are_any(run: Run) -> None:
    question = overlay_question(run, [Run(run.home, f"run-{number}") for number in range(40)])
    keys = [answer.key for answer in question.answers]
    assert keys[8:11] == ["9", "a", "b"] and keys[-1] == ""
    used = [key for key in keys if key]
    assert len(used) == len(set(used)) == 35 and all(key.isalnum() for key in used)


async def test_another_language_tells_no_end_again_and_keeps_the_other_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = both(tmp_path / "home")
    journal_of(ours).say(DONE)
    app = DbtuiApp(ours.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, ours)
        overlay = Overlay(other)
        overlay.read()
        monitor.query_one(LossPane).overlay = overlay
        told: list[str] = []
        monkeypatch.setattr(app, "announce", lambda name, event: told.append(event.kind))
        await monitor.in_other_words()
        assert not told and monitor.query_one(LossPane).overlay is overlay
        assert monitor.history.state == "done"
        journal_of(ours).say(replace(DONE, time=NOON + 99))
        await monitor.in_other_words()
        assert told == ["done"], "what has just happened is news"


async def test_without_another_run_o_says_so(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20))
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("o")
        await until(pilot, lambda: app._notifications)
        assert "no other run" in next(iter(app._notifications)).message


async def test_a_pause_says_since_when(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), Paused(step=20, time=NOON))
    app = DbtuiApp(run.home)
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await opened(app, pilot, run)
            assert "‖ paused  since 11-14 22:13" in shown(app)
