"""The monitor over synthetic journals: what it shows."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseScrollUp
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets._toast import Toast

from core.events import Checkpoint, Failed, Paused, Phase, Sample, Stopped, Warned
from core.languages import LANGUAGES, texts_of
from core.runs.queue import add
from core.texts import use_language
from dbtui.monitor.samples import SamplesPane
from dbtui.monitor.screen import PANES
from dbtui.monitor.state import Notice, StateLines
from dbtui.monitor.tabs import TabLine
from dbtui.monitor.words import line_of
from tests.dbtui import synthetic
from tests.dbtui.app_driving import until
from tests.dbtui.monitor.bench import (
    NARROW,
    VAST,
    WIDE,
    Bench,
    SteadyHandle,
    look,
    screen_text,
    settle,
)
from tests.dbtui.synthetic import NOON, SyntheticRun


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
        owned.say(Phase(name="resting", total=90, time=NOON))
        await look(app, pilot)
        assert re.search(r"resting .* of 1 min 30 s", screen_text(app))


def test_the_log_tells_how_many_pictures_or_how_long_a_rest() -> None:
    assert line_of(Phase(name="class-images", total=30)) == "Making class pictures: 30"
    assert line_of(Phase(name="resting", total=90)) == "Resting: 1 min 30 s"
    assert line_of(Phase(name="training", total=600)) == "Training"


async def test_the_state_line_tells_step_time_left_loss_and_rate(owned: SyntheticRun) -> None:
    synthetic.in_training(owned, 260)
    app = Bench(owned)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        said = screen_text(app).splitlines()[0]
    for figure in ("training", "step 260/600", "left 8 min 30 s", "loss 0.1866", "rate 2.0e-6", "memory 9.8 GB"):
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


async def test_the_log_stands_in_the_order_of_time_though_a_thread_tells_late(owned: SyntheticRun) -> None:
    saved = Checkpoint(step=10, path="checkpoints/step-000010", bytes=1000, seconds=1, time=NOON + 61)
    drawn = Sample(step=11, path="samples/step-000011/0.png", prompt="a dog", seed=1, time=NOON + 62)
    set_back = Checkpoint(step=12, path="checkpoints/step-000012", bytes=1000, seconds=1, time=NOON - 3600)
    owned.say(synthetic.started(), drawn, saved, set_back)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("5")
        await settle(pilot)
        assert re.findall(r"step (\d+)", screen_text(app).lower())[-3:] == ["10", "11", "12"]


@pytest.mark.parametrize("likeness", [0.97, None])
async def test_how_a_preview_was_recognised_is_explained_where_it_is_told(
    owned: SyntheticRun, likeness: float | None
) -> None:
    owned.say(synthetic.started(), replace(synthetic.preview(owned, 10, "a dog"), noun="cat", likeness=likeness))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("5")
        await settle(pilot)
        assert ("recognised as" in screen_text(app)) == (likeness is not None)
        assert ("a second small network" in app.monitor.HELP) == (likeness is not None)


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
        column = screen_text(app).splitlines()[2].index("Previews")
        await pilot.click("TabLine", offset=(column, 0))
        await settle(pilot)
        assert app.monitor.query_one(SamplesPane).is_seen


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


async def test_a_run_that_waits_in_the_queue_says_so(run: SyntheticRun) -> None:
    app = Bench(run)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        assert "Nothing was trained yet. r begins." in screen_text(app)
        add(run.home, run)  # type: ignore[arg-type]
        await app.monitor.look()
        assert "It waits its turn in the queue. r starts it at once." in screen_text(app)


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
        assert "No sign of life for 1 min 3" in screen_text(app)


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


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_answer_covers_no_more_than_a_line_of_a_small_terminal(owned: SyntheticRun, language: str) -> None:
    use_language(texts_of(language))
    try:
        synthetic.in_training(owned)
        app = Bench(owned)
        async with app.run_test(size=NARROW, notifications=True) as pilot:
            await settle(pilot)
            saved = line_of(Checkpoint(step=52, path="checkpoints/step-000052", bytes=141_700_000, seconds=1.0))
            assert saved is not None
            app.notify(saved, markup=False)
            await until(pilot, lambda: any(toast.region.area for toast in app.screen.query(Toast)))
            toast = app.screen.query_one(Toast)
            assert (toast.region.height, toast.region.bottom) == (1, NARROW[1] - 1)
            assert saved in screen_text(app)
    finally:
        use_language(None)


async def test_a_notice_over_the_log_leaves_the_newest_line_in_sight(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("5")
        await settle(pilot)
        app.notify("clock trains on in process 23700. Watch it with: `dbtui attach clock`", markup=False)
        await until(pilot, lambda: any(toast.region.area for toast in app.screen.query(Toast)))
        lines, toast = app.screen.query_one("#log-lines").region, app.screen.query_one(Toast).region
        assert toast.y >= app.screen.query_one(TabLine).region.bottom
        assert toast.bottom <= lines.bottom - 4
