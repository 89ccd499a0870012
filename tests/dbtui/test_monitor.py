"""The monitor over synthetic journals: what it shows, what its keys do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.app import App
from textual.events import MouseScrollUp
from textual.pilot import Pilot
from textual.screen import Screen

import dbtui.app
from core.events import Continued, Failed, Paused, Phase, Sample, Stopped, Warned
from core.machine import Reading
from core.runs.history import History
from core.runs.lock import owner
from dbtui.app import DbtuiApp
from dbtui.looks import CALM
from dbtui.monitor.leaving import EndingScreen, LeaveDialog
from dbtui.monitor.loss import LossPane
from dbtui.monitor.samples import SampleScreen, SamplesPane
from dbtui.monitor.screen import PANES, MonitorScreen
from dbtui.monitor.state import Notice, StateLines, glance, progress_line
from dbtui.widgets.plot import Plot
from dbtui.widgets.question import Answer, Question
from tests.dbtui import synthetic
from tests.dbtui.app_driving import shown
from tests.dbtui.synthetic import NOON, SyntheticRun

NARROW, WIDE, VAST = (80, 24), (120, 36), (160, 50)


class SteadyGauge:
    def read(self) -> Reading:
        return Reading(97.0, 10.2e9, 24e9, 71.0, 310.0, 34.0, 11e9, 32e9)


class SteadyHandle:
    """A training thread that ends when it is asked to."""

    def __init__(self) -> None:
        self.running = True
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.ending: Any = None

    def request(self, command: str, **fields: Any) -> str:
        self.requests.append((command, fields))
        self.running = False
        self.ending = SimpleNamespace(kind="stopped", exit_code=3)
        return "id"


class Bench(App[int]):
    CSS_PATH = Path(dbtui.app.__file__).with_name("app.tcss")
    is_training = False
    is_exporting = False
    last_words = ""

    def announce(self, name: str, event: Any) -> None:
        self.announced = [*getattr(self, "announced", []), event.kind]

    def __init__(self, run: SyntheticRun, handle: Any = None, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.register_theme(CALM)
        self.theme = "calm"
        self.monitor = MonitorScreen(run, handle, gauge=SteadyGauge(), environment=environment or {})  # type: ignore[arg-type]

    def on_mount(self) -> None:
        self.push_screen(self.monitor)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    for name in ("DBTUI_GRAPHICS", "TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(tmp_path: Path) -> SyntheticRun:
    return SyntheticRun(tmp_path, "clock")


@pytest.fixture
def owned(run: SyntheticRun) -> Iterator[SyntheticRun]:
    """The run while this very process holds its lock."""
    with synthetic.held(run):
        yield run


async def settle(pilot: Pilot[int]) -> None:
    """Until nothing is waited for: no message, no picture that a thread makes."""
    await pilot.pause()
    for _ in range(500):
        await pilot.pause(0.02)
        # An open question is a worker too, and ends with its answer: only threads are waited for.
        if not any(worker._thread_worker and not worker.is_finished for worker in pilot.app.workers):
            break
    await pilot.pause()


async def look(app: Bench, pilot: Pilot[int]) -> None:
    await app.monitor.look()
    await settle(pilot)


def screen_text(app: App[Any]) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def notices(app: App[Any]) -> str:
    return "\n".join(notice.message for notice in app._notifications)


def commands(run: SyntheticRun) -> list[dict[str, Any]]:
    if not run.commands_path.exists():
        return []
    return [json.loads(line) for line in run.commands_path.read_text().splitlines()]


# --- what is shown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [NARROW, WIDE, VAST], ids=["80x24", "120x36", "160x50"])
@pytest.mark.parametrize("filled", ["in_training", "done", "stopped"])
def test_snapshot(snap_compare: Any, request: pytest.FixtureRequest, tmp_path: Path, filled: str, size: Any) -> None:
    run = request.getfixturevalue("owned" if filled == "in_training" else "run")
    getattr(synthetic, filled)(run)
    assert snap_compare(Bench(run), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("key", ["1", "2", "4", "5"])
def test_snapshot_of_a_pane(snap_compare: Any, owned: SyntheticRun, key: str) -> None:
    synthetic.in_training(owned)

    async def before(pilot: Pilot[int]) -> None:
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)

    assert snap_compare(Bench(owned), terminal_size=NARROW, run_before=before)


def test_snapshot_of_a_failed_run(snap_compare: Any, run: SyntheticRun) -> None:
    synthetic.in_training(run)
    run.say(
        Failed(
            code="memory.out",
            message="There was not enough memory to train.",
            advice="What helps, the strongest first: batch.size = 1; a smaller model.resolution.",
            step=260,
            time=NOON + 600,
        )
    )
    assert snap_compare(Bench(run), terminal_size=NARROW, run_before=settle)


async def test_before_the_first_step_it_says_what_is_done_and_how_much(owned: SyntheticRun) -> None:
    owned.say(synthetic.started(), Phase(name="loading", time=NOON))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert "loading the model" in screen_text(app)
        owned.say(Phase(name="class-images", done=3, total=30, time=NOON))
        await look(app, pilot)
        assert "making class pictures 3/30" in screen_text(app)
        owned.say(Phase(name="caching", done=2, total=6, time=NOON))
        await look(app, pilot)
        assert "2/6" in screen_text(app)


async def test_the_state_line_tells_step_time_left_loss_and_rate(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 260)
    app = Bench(owned)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        said = screen_text(app).splitlines()[0]
    for figure in ("training", "step 260/600", "left 8 min 30 s", "loss 0.1866", "rate 2e-06", "memory 9.8 GB"):
        assert figure in said


async def test_all_panes_are_seen_at_once_where_there_is_room(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        assert all(app.monitor.query_one(f"#pane-{name}").is_seen for name in PANES)
        picture = app.monitor.query_one("#pane-samples Picture > *")
        assert picture.size.width >= 24 and picture.size.height >= 12
        await pilot.resize_terminal(119, 36)
        await settle(pilot)
        assert [name for name in PANES if app.monitor.query_one(f"#pane-{name}").is_seen] == ["samples"]


async def test_a_number_maximises_a_pane_and_once_more_shows_all(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        for number, name in enumerate(PANES, 1):
            await pilot.press(str(number))
            await settle(pilot)
            assert [other for other in PANES if app.monitor.query_one(f"#pane-{other}").is_seen] == [name]
        await pilot.press("5")
        await settle(pilot)
        assert all(app.monitor.query_one(f"#pane-{name}").is_seen for name in PANES)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x36"])
async def test_the_log_shows_the_newest_line_and_follows_unless_it_is_scrolled_up(
    owned: SyntheticRun, size: tuple[int, int]
) -> None:
    def said(number: int) -> Warned:
        words = f"This is line {number} of many, and it is so long that it does not fit on one line of this terminal, "
        return Warned(code="x", message=words + f"so that it wraps and ends here: {number}.", time=NOON)

    owned.say(synthetic.started(), *map(said, range(40)))
    app = Bench(owned)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        if size == NARROW:
            await pilot.press("5")
            await settle(pilot)
        assert "ends here: 39." in " ".join(screen_text(app).split())
        owned.say(said(40))
        await look(app, pilot)
        await settle(pilot)
        assert "ends here: 40." in " ".join(screen_text(app).split())
        await pilot.resize_terminal(size[0] - 2, size[1] - 1)
        for number in (40, 41, 42):
            owned.say(said(number))
            await app.monitor.look()
        await settle(pilot)
        await settle(pilot)
        if size == WIDE:
            await pilot.press("5")
            await settle(pilot)
        assert "ends here: 42." in " ".join(screen_text(app).split())
        lines = app.monitor.query_one("#log-lines")
        lines._on_mouse_scroll_up(MouseScrollUp(lines, 1, 1, 0, -1, 0, False, False, False))
        await settle(pilot)
        seen = lines.scroll_offset
        owned.say(said(43))
        await look(app, pilot)
        await settle(pilot)
        assert lines.scroll_offset == seen
        assert "ends here: 43." not in " ".join(screen_text(app).split())


async def test_a_long_line_of_the_log_goes_on_below_its_words(owned: SyntheticRun) -> None:
    owned.say(synthetic.started(), Warned(code="x", message="word " * 40))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("5")
        await settle(pilot)
        rows = [row for row in screen_text(app).splitlines() if "word" in row]
        assert len(rows) > 1 and {row.index("word") for row in rows[1:]} == {rows[0].index("Note")}


async def test_few_lines_of_the_log_stand_at_its_top(owned: SyntheticRun) -> None:
    owned.say(synthetic.started())
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("5")
        await settle(pilot)
        assert "Started on cuda" in screen_text(app).splitlines()[3]


async def test_a_click_on_a_tab_chooses_it(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        column = screen_text(app).splitlines()[2].index("Samples")
        await pilot.click("TabLine", offset=(column, 0))
        await settle(pilot)
        assert app.monitor.query_one(SamplesPane).is_seen


async def test_curves_are_drawn_without_colours(owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        assert "┫" in screen_text(app)


@pytest.mark.parametrize("losses", [[], [0.1], [0.1, 0.2], [0.1] * 40, [0.1, None, 0.3], [None]])
async def test_few_constant_and_missing_values_are_drawn(owned: SyntheticRun, losses: list[float | None]) -> None:
    owned.say(synthetic.started())
    for number, loss in enumerate(losses, 1):
        owned.say(
            synthetic.step(number, prior=False, loss=loss)
            if loss is not None
            else replace(synthetic.step(number, prior=False), loss=None, instance_loss=None, skipped=True)
        )
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        drawn = screen_text(app)
        if [loss for loss in losses if loss is not None]:
            assert any("\u2800" < character <= "\u28ff" or character == "•" for character in drawn)


async def test_a_long_run_is_drawn_with_at_most_two_points_a_column(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 3000)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        await look(app, pilot)
        plot = app.monitor.query_one(Plot)
        assert plot._datasets
        assert max(len(dataset.x) for dataset in plot._datasets) <= 2 * 80


async def test_a_pane_that_is_not_seen_costs_nothing(owned: SyntheticRun) -> None:
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("4")
        synthetic.in_training(owned)
        await look(app, pilot)
        assert not app.monitor.query("#pane-rate Plot")
        assert not app.monitor.query("#pane-samples Picture > *")


async def test_what_was_read_under_another_screen_stands_at_the_top_at_once(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.in_training(owned, 100)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        app.push_screen(Screen())
        await settle(pilot)
        owned.say(*synthetic.steps(101, 150))
        await look(app, pilot)
        monkeypatch.setattr(app.monitor, "look", lambda: asyncio.sleep(60))
        app.pop_screen()
        await pilot.pause()
        assert "step 150/600" in screen_text(app)


async def test_on_a_slow_line_the_top_is_up_to_date_all_the_same_after_another_screen(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 100)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        app.push_screen(Screen())
        await settle(pilot)
        owned.say(*synthetic.steps(101, 150))
        app._driver.is_behind = True  # type: ignore[union-attr]
        app.pop_screen()
        await settle(pilot)
        assert "step 150/600" in screen_text(app)


async def test_nothing_is_drawn_under_a_dialog_but_the_journal_is_read(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 10)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        owned.say(*synthetic.steps(11, 20))
        await app.monitor.look()
        assert app.monitor.history.step == 20
        assert "10/600" in str(app.monitor.query_one(StateLines).render())


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (40, 12), (200, 60)])
async def test_no_size_crashes_it(owned: SyntheticRun, size: tuple[int, int]) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        for key in "12345":
            await pilot.press(key)
            await pilot.resize_terminal(*size)
            await look(app, pilot)
            await pilot.resize_terminal(*NARROW)


HOSTILE = "[@click=app.bell]x[/] x[/] [bold] \x1b]52;c;aGk=\x07 \u202egnp.exe \x9b31m"


async def test_hostile_strings_are_shown_and_not_obeyed(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 120)
    good = synthetic.preview(owned, 110, HOSTILE)
    owned.say(good, Warned(code="x", message=HOSTILE, time=NOON))
    owned.say(Sample(step=115, path=f"samples/{HOSTILE}.png", prompt=HOSTILE, seed=1, time=NOON))
    app = Bench(owned)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        for keys in ([], ["["], ["enter"], ["escape", "5"]):
            await pilot.press(*keys)
            await settle(pilot)
            drawn = screen_text(app)
            for character in ("\x1b", "\x07", "\u202e", "\x9b"):
                assert character not in drawn
        owned.say(Failed(code=HOSTILE, message=HOSTILE, advice=HOSTILE, time=NOON))
        await look(app, pilot)
        assert "[@click=app.bell]" in screen_text(app)


async def test_a_failed_run_shows_message_and_advice_in_words(run: SyntheticRun) -> None:
    synthetic.in_training(run, 20)
    run.say(Failed(code="memory.out", message="There was not enough memory.", advice="Try batch.size = 1.", time=NOON))
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        drawn = screen_text(app)
    for words in ("There was not enough memory.", "Try batch.size = 1.", "memory.out", "--resume"):
        assert words in drawn
    assert "Traceback" not in drawn


async def test_a_run_whose_process_is_gone_is_named_and_resume_is_offered(run: SyntheticRun) -> None:
    synthetic.in_training(run, 20)
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert "ended without a word" in screen_text(app)
        assert app.monitor.check_action("resume", ())
        assert not app.monitor.check_action("pause", ())


async def test_a_silent_owner_is_told(owned: SyntheticRun) -> None:
    import os

    synthetic.in_training(owned, 20)
    long_ago = time.time() - 95
    os.utime(owned.lock_path, (long_ago, long_ago))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert "No heartbeat for 1 min 3" in screen_text(app)


@pytest.mark.parametrize(
    ("environment", "told"),
    [({}, False), ({"SSH_CONNECTION": "x"}, True), ({"SSH_CONNECTION": "x", "TMUX": "y"}, False)],
)
async def test_under_ssh_one_line_says_how_to_come_back(
    owned: SyntheticRun, environment: dict[str, str], told: bool
) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned, SteadyHandle(), environment)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert ("dbtui attach clock" in str(app.monitor.query_one(Notice).render())) == told


# --- samples ------------------------------------------------------------------------------------------------------


async def test_brackets_go_through_the_samples_and_follow_the_newest_again(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        pane = app.monitor.query_one(SamplesPane)
        assert pane.sample is not None and pane.sample.step == 200
        assert "2 of 2  ← →" in screen_text(app)
        await pilot.press("[", "left")
        assert pane.sample.step == 100
        owned.say(synthetic.preview(owned, 250, "later"))
        await look(app, pilot)
        assert pane.sample.step == 100
        await pilot.press("]", "right")
        assert pane.sample.step == 250
        owned.say(synthetic.preview(owned, 260, "latest"))
        await look(app, pilot)
        assert pane.sample.step == 260


@pytest.mark.parametrize("key", ["escape", "enter", "q", "3"])
async def test_enter_shows_a_sample_in_full_and_y_copies_its_path(owned: SyntheticRun, key: str) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("3", "y")
        path = str(owned.path / "samples/step-000200/0.png")
        assert app.clipboard == path
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, SampleScreen)
        for words in ("step 200", "seed 42", "a photo of sks alarm clock"):
            assert words in screen_text(app)
        await pilot.press("left")
        await settle(pilot)
        assert "step 100   1 of 2" in screen_text(app)
        assert "step-000100/0.png" in screen_text(app)
        await pilot.press("]")
        await settle(pilot)
        assert "step 200   2 of 2" in screen_text(app)
        await pilot.press("[", key)
        assert app.screen is app.monitor
        await settle(pilot)
        assert "1 of 2" in screen_text(app)


async def test_a_damaged_preview_is_said_and_shown_as_words(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    (owned.path / "samples/step-000200/0.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("3")
        await settle(pilot)
        assert "cannot be shown" in screen_text(app)


async def test_an_unknown_graphics_protocol_is_said(owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBTUI_GRAPHICS", "crayons")
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("3")
        await settle(pilot)
        assert "crayons" in screen_text(app) and "halfcell" in screen_text(app)


# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "command"), [("p", "pause"), ("s", "sample"), ("c", "save")])
async def test_keys_write_commands(owned: SyntheticRun, key: str, command: str) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press(key)
        assert [asked["command"] for asked in commands(owned)] == [command]


async def test_p_continues_a_paused_run_and_answers_are_told(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("p")
        owned.say(Paused(step=20, id=commands(owned)[-1]["id"], time=NOON))
        await look(app, pilot)
        assert "‖ paused" in screen_text(app)
        assert "Paused at step 20" in notices(app)
        assert [notice.timeout for notice in app._notifications] == [3], "the log has it too, and it covers the preview"
        await pilot.press("p")
        assert commands(owned)[-1]["command"] == "continue"
        owned.say(Continued(step=20, id=commands(owned)[-1]["id"], time=NOON))
        await look(app, pilot)
        assert "Went on at step 20" in notices(app)


async def test_what_was_asked_stands_at_the_top_until_it_is_answered(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("p")
        await settle(pilot)
        assert "pause asked" in screen_text(app) and "p Continue" in screen_text(app)
        owned.say(Paused(step=20, id=commands(owned)[-1]["id"], time=NOON))
        await look(app, pilot)
        assert "pause asked" not in screen_text(app) and "pictures/s" not in screen_text(app)


def test_while_nothing_else_moves_the_seconds_do(owned: SyntheticRun) -> None:
    history = History()
    history.observe(replace(owner(owned.lock_path), started=NOON))  # type: ignore[type-var]
    assert "loading the libraries, 9 s" in progress_line(glance("clock", history, now=NOON + 9), 80).plain
    history.add([synthetic.started(), Phase(name="loading", time=NOON + 10)])
    assert "loading the model, 3 s" in progress_line(glance("clock", history, now=NOON + 13), 80).plain


async def test_seconds_count_while_it_loads_though_the_next_redraw_is_far_off(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        app.monitor.pace.is_due = lambda now: False  # type: ignore[method-assign]
        held = app.monitor.history.owner
        assert held is not None
        for seconds in (5, 6):
            monkeypatch.setattr("dbtui.monitor.screen.time.time", lambda then=held.started + seconds: then)
            app.monitor._ticks = 0
            app.monitor._tick()
            await pilot.pause()
            assert f"loading the libraries, {seconds} s" in screen_text(app)


def test_a_run_that_is_loaded_again_does_not_show_the_pace_of_its_life_before(owned: SyntheticRun) -> None:
    history = History()
    history.add([synthetic.started(), *synthetic.steps(1, 20), Stopped(step=20, saved=True, time=NOON)])
    history.observe(replace(owner(owned.lock_path), started=NOON + 60))  # type: ignore[type-var]
    seen = glance("clock", history, now=NOON + 62)
    assert "loading the libraries" in progress_line(seen, 80).plain
    assert seen.images_per_second == 0 and seen.seconds_left is None


async def test_p_twice_before_the_answer_takes_the_pause_back(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("p", "p")
        assert [asked["command"] for asked in commands(owned)] == ["pause", "continue"]


async def test_a_refusal_is_told(owned: SyntheticRun) -> None:
    owned.say(synthetic.started(), Phase(name="loading", time=NOON))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("s")
        owned.say(Warned(code="command.too-early", message="Nothing to sample yet.", id=commands(owned)[-1]["id"]))
        await look(app, pilot)
        assert "Nothing to sample yet." in notices(app)


@pytest.mark.parametrize(("answer", "discard"), [("s", False), ("w", True)])
async def test_stop_asks_first(owned: SyntheticRun, answer: str, discard: bool) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert isinstance(app.screen, Question)
        assert not commands(owned)
        await pilot.press(answer)
        await settle(pilot)
        (asked,) = commands(owned)
        assert (asked["command"], asked["discard"]) == ("stop", discard)


async def test_going_on_from_the_stop_question_asks_nothing(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        for key in ("g", "escape"):
            await pilot.press("x")
            await settle(pilot)
            await pilot.press(key)
            await settle(pilot)
            assert app.screen is app.monitor
        assert not commands(owned)


@pytest.mark.parametrize(
    ("answer", "fields", "code"),
    [("s", {"reason": "user", "discard": False}, 3), ("w", {"reason": "user", "discard": True}, 3)],
)
async def test_leaving_while_it_trains_here_ends_it_as_was_answered(
    owned: SyntheticRun, answer: str, fields: dict[str, Any], code: int
) -> None:
    synthetic.in_training(owned, 20)
    saved = answer == "s"
    if saved:
        (owned.path / "checkpoints" / "step-000010").mkdir(parents=True)
    handle = SteadyHandle()
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
        assert ("the state of step 10 stays" in shown(app)) == saved
        assert ("all is lost" in shown(app)) != saved
        await pilot.press(answer)
        await settle(pilot)
    assert handle.requests == [("stop", fields)]
    assert app.return_value == code
    restart = "clock is stopped, and no state of it was saved: it trains again from step 0. dbtui train clock --resume"
    assert app.last_words == ("clock is stopped. Train on with: dbtui train clock --resume" if saved else restart)


async def test_leaving_for_the_background_says_in_the_terminal_how_to_come_back(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, resume: 4711)
    app = Bench(owned, SteadyHandle())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q", "b")
        await settle(pilot)
        await settle(pilot)
    assert app.return_value == 0
    assert app.last_words == "clock trains on in process 4711. Watch it with: dbtui attach clock"


async def test_staying_leaves_everything_as_it_is(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    handle = SteadyHandle()
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        for key in ("g", "escape"):
            await pilot.press("q")
            await settle(pilot)
            await pilot.press(key)
            await settle(pilot)
            assert app.screen is app.monitor
            assert not any(isinstance(screen, LeaveDialog) for screen in app.screen_stack)
    assert handle.requests == []


async def test_d_saves_and_hands_over_to_a_process(owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[tuple[Any, bool]] = []

    def launch(run: Any, resume: bool) -> int:
        launched.append((run, resume))
        return 4711

    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    synthetic.in_training(owned, 20)
    handle = SteadyHandle()
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("d")
        await settle(pilot)
        await settle(pilot)
        assert handle.requests == [("stop", {"reason": "background", "discard": False})]
        assert launched == [(owned, True)]
        assert "4711" in notices(app)
        assert app.screen is app.monitor
        assert app.monitor.handle is None


async def test_a_run_that_came_to_its_end_meanwhile_is_not_started_again(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, resume: pytest.fail("started again"))
    handle = SteadyHandle()
    handle.running = False
    handle.ending = SimpleNamespace(kind="done", exit_code=0)
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        ended: list[bool | None] = []
        app.push_screen(EndingScreen(owned, handle, reason="background"), ended.append)  # type: ignore[arg-type]
        await settle(pilot)
        assert ended == [True]


async def test_what_lies_over_the_ending_is_not_closed_by_it(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, resume: 4711)
    handle = SteadyHandle()
    handle.request = lambda command, **fields: "1"  # type: ignore[method-assign]
    app = Bench(owned, handle)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        ended: list[bool | None] = []
        ending = EndingScreen(owned, handle, reason="background")  # type: ignore[arg-type]
        app.push_screen(ending, ended.append)
        await settle(pilot)
        await pilot.press("escape")
        assert app.screen is ending
        over = Question("Something else?", "", [Answer("no", "n", "No")])
        await app.push_screen(over)
        handle.running = False
        await asyncio.sleep(1.2)
        assert app.screen is over and not ended
        over.dismiss(None)
        await asyncio.sleep(1.2)
        await settle(pilot)
        assert ended == [True] and app.screen is app.monitor


async def test_a_hand_over_that_fails_is_said_and_the_run_can_be_resumed_here(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(run: Any, resume: bool) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    app = Bench(owned, SteadyHandle())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("d")
        await settle(pilot)
        await settle(pilot)
        assert "temporarily unavailable" in notices(app) and "r trains on" in notices(app)
        assert app.screen is app.monitor


async def test_leaving_from_another_runs_monitor_asks_about_the_one_that_trains_here(
    owned: SyntheticRun, tmp_path: Path
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=NARROW) as pilot:
        app.training, app.training_run = SteadyHandle(), SyntheticRun(tmp_path, "dog")  # type: ignore[assignment]
        await app.push_screen(MonitorScreen(owned, None, gauge=SteadyGauge()))
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
        assert app.is_running and "dog is training in this program" in screen_text(app)


@pytest.mark.parametrize(("event", "looks"), [(None, 8), (Paused(step=20, time=NOON), 2)], ids=["training", "paused"])
async def test_what_does_not_change_is_looked_at_less_often(
    owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch, event: Paused | None, looks: int
) -> None:
    synthetic.in_training(owned, 20)
    if event is not None:
        owned.say(event)
    monkeypatch.setattr("dbtui.monitor.screen.TICK_SECONDS", 3600)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        seen: list[int] = []

        async def look() -> None:
            seen.append(1)

        app.monitor.look = look  # type: ignore[method-assign]
        app.monitor.pace.is_due = lambda now: True  # type: ignore[method-assign]
        for _ in range(8):
            app.monitor._tick()
        await settle(pilot)
        assert len(seen) == looks


async def test_leaving_a_run_of_another_process_just_leaves(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 20)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("q")
        await settle(pilot)
    assert app.return_value == 0
    assert not commands(owned)


async def test_the_curve_up_to_where_a_run_goes_on_stays_and_has_its_legend(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 150)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        owned.say(Stopped(step=150, saved=False, time=NOON), synthetic.started(resumed_from=100))
        for last in (100, 104):
            owned.say(*synthetic.steps(101, last))
            await look(app, pilot)
            assert "━ average" in screen_text(app) and "once a step is trained" not in screen_text(app)
            plot = app.monitor.query_one(LossPane).query_one(Plot)
            assert (plot._x_min, plot._x_max) == (1, last)


async def test_where_a_run_begins_anew_the_curve_of_before_goes_until_there_is_a_step(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 90)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("1")
        await settle(pilot)
        owned.say(Stopped(step=90, saved=False, time=NOON), synthetic.started())
        await look(app, pilot)
        plot = app.monitor.query_one(LossPane).query_one(Plot)
        assert "once a step is trained" in screen_text(app) and not plot.display
        owned.say(*synthetic.steps(1, 4))
        await look(app, pilot)
        assert "━ average" in screen_text(app) and plot.display
        assert (plot._x_min, plot._x_max) == (1, 4)


async def test_a_resumed_run_forgets_the_steps_of_the_life_before(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 150)
    owned.say(Stopped(step=150, saved=False, time=NOON), synthetic.started(resumed_from=100))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert "step 100/600" in screen_text(app)
        owned.say(*synthetic.steps(101, 104))
        await look(app, pilot)
        assert "step 104/600" in screen_text(app)
