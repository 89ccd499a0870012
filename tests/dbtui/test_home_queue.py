"""The queue from the list of runs: what waits, what has its turn, what starts at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from core.events import Done, Failed, Stopped, encode
from core.runs.again import Share
from core.runs.folder import Run
from core.runs.lock import RunLock
from core.runs.queue import add, begin, lock_path, read_queue, remove
from core.runs.queue import asked as asked_to_end
from core.texts import UserError
from dbtui.app import DbtuiApp
from dbtui.home.rows import Entry
from dbtui.home.screen import HomeScreen
from dbtui.home.waiting import queue_question
from dbtui.widgets.asked import Asked
from dbtui.widgets.question import Question
from tests.dbtui.app_driving import shown, until
from tests.dbtui.test_home import a_step, begun, looked_at, make_run


async def test_a_run_is_put_into_the_queue_and_taken_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []
    make_run(tmp_path, "clock")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await looked_at(app, pilot, "not started")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("w")
        await until(pilot, lambda: "Start the queue now?" in shown(app))
        await pilot.press("l")
        await looked_at(app, pilot, "waits, no. 1")
        assert "Queue: 1 run waiting" in shown(app)
        assert [entry.name for entry in read_queue(tmp_path).entries] == ["clock"]
        assert app.screen.check_action("rename", ()) is False  # the queue knows it by its name
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("r")
        await looked_at(app, pilot, "not started")
        assert not read_queue(tmp_path).entries
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("a")
        await until(pilot, lambda: "Start the queue now?" in shown(app))
        monkeypatch.setattr("core.runs.queue.start", lambda home: started.append(home) or 1)
        await pilot.press("s")
        await until(pilot, lambda: started == [tmp_path])
        await looked_at(app, pilot, "waits, no. 1")


@pytest.mark.parametrize("waits", [True, False])
def test_how_to_take_a_run_out_is_said_where_another_one_is_chosen(tmp_path: Path, waits: bool) -> None:
    add(tmp_path, make_run(tmp_path, "clock"))
    question = queue_question(read_queue(tmp_path), Entry("clock" if waits else "dog", place=int(waits)))
    assert ("cursor on it" in str(question.text)) == (not waits)
    assert ("remove" in [answer.id for answer in question.answers]) == waits


@pytest.mark.parametrize("has_turn", [True, False])
def test_whoever_ends_the_queue_is_told_which_run_that_saves(tmp_path: Path, has_turn: bool) -> None:
    add(tmp_path, make_run(tmp_path, "clock"))
    with RunLock(lock_path(tmp_path)):
        if has_turn:
            begin(tmp_path, read_queue(tmp_path).entries[0])
        answers = {answer.id: answer for answer in queue_question(read_queue(tmp_path), None).answers}
    assert ("clock" in answers["interrupt"].help) == has_turn
    assert ("what waits stays" in answers["interrupt"].help) != has_turn


async def test_the_queue_is_started_and_ended_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, make_run(tmp_path, "clock"))
    started: list[Path] = []
    monkeypatch.setattr("core.runs.queue.start", lambda home: started.append(home) or 1)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await looked_at(app, pilot, "nobody trains them yet")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("s")
        await until(pilot, lambda: started == [tmp_path])
        with RunLock(lock_path(tmp_path)):
            begin(tmp_path, read_queue(tmp_path).entries[0])
            app.screen.look()  # type: ignore[attr-defined]
            await looked_at(app, pilot, "clock has its turn")
            for key, end in (("e", "end"), ("g", ""), ("i", "now")):
                await pilot.press("w")
                await until(pilot, lambda: isinstance(app.screen, Question))
                await pilot.press(key)
                await until(pilot, lambda end=end: asked_to_end(tmp_path) == end)
                app.screen.look()  # type: ignore[attr-defined]
                await until(pilot, lambda end=end: ("it ends after that" in shown(app)) == (end == "end"))


async def test_a_run_whose_turn_has_come_stands_first_and_loads_until_it_says_more(tmp_path: Path) -> None:
    for name in ("aged", "clock"):
        add(tmp_path, make_run(tmp_path, name))
    make_run(tmp_path, "young", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await looked_at(app, pilot, "nobody trains them yet")
        with RunLock(lock_path(tmp_path)):
            begin(tmp_path, read_queue(tmp_path).entries[0])
            home = app.screen
            assert isinstance(home, HomeScreen)
            home.look()
            await looked_at(app, pilot, "aged has its turn")
            assert (home.entries[0].name, home.entries[0].state) == ("aged", "loading")
            failed = encode(Failed(code="x", message="no"))
            Run.open(tmp_path, "aged").journal_path.write_text(encode(begun()) + "\n" + failed + "\n")
            home.look()
            await looked_at(app, pilot, "✗ failed")


async def test_what_waits_to_go_on_keeps_its_share_of_the_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    monkeypatch.setattr("core.runs.again.share_of", lambda run: Share(2, ("GPU-0", "GPU-1")))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "stopped" in shown(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("w")
        await until(pilot, lambda: read_queue(tmp_path).entries)
    (entry,) = read_queue(tmp_path).entries
    assert (entry.name, entry.cards) == ("clock", ("GPU-0", "GPU-1"))


async def test_a_longer_run_that_is_taken_out_of_the_queue_is_as_long_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.takes.takes", lambda run, seen, *, lengthened: None)
    run = make_run(tmp_path, "clock", begun(600), a_step(600), Done(step=600, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "✓ done")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, Asked))
        await pilot.press("backspace", "backspace", "5", "enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("w")
        await until(pilot, lambda: "Start the queue now?" in shown(app))
        assert run.config().intervals.epochs == 105
        await pilot.press("l")
        await looked_at(app, pilot, "waits, no. 1")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("r")
        await looked_at(app, pilot, "✓ done")
        assert run.config().intervals.epochs == 100


async def test_what_starts_at_once_waits_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, make_run(tmp_path, "clock"))
    asked: list[str] = []
    monkeypatch.setattr("core.runs.launch.launch_background", lambda run, *, resume: asked.append(run.name))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await looked_at(app, pilot, "waits, no. 1")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "In the queue" not in shown(app)
        await pilot.press("b")
        await until(pilot, lambda: asked == ["clock"] and not read_queue(tmp_path).entries)


async def test_a_run_that_is_started_in_the_background_is_marked_until_its_process_has_come_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = threading.Event()

    def launch(run: Run, *, resume: bool) -> None:
        up.wait(20)
        raise UserError("x", "Not now.")

    monkeypatch.setattr("core.runs.launch.launch_background", launch)
    make_run(tmp_path, "clock")
    make_run(tmp_path, "young", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await looked_at(app, pilot, "not started")
        home = app.screen
        assert isinstance(home, HomeScreen)
        await pilot.press("end", "r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("b")
        await until(pilot, lambda: (home.entries[0].name, home.entries[0].state) == ("clock", "loading"))
        assert not app.screen.check_action("resume", ()), "it is not started twice"
        up.set()
        await looked_at(app, pilot, "not started")
        assert home.entries[-1].name == "clock"


async def test_where_a_start_is_refused_all_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run: Run, *, resume: bool) -> None:
        refused.append(run.config().intervals.epochs)
        raise UserError("x", "Not now.")

    refused: list[int] = []
    monkeypatch.setattr("core.runs.launch.launch_background", refuse)
    add(tmp_path, make_run(tmp_path, "clock"))
    done = make_run(tmp_path, "watch", begun(600), a_step(600), Done(step=600, seconds=9))
    before = done.config_path.read_bytes()
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await looked_at(app, pilot, "waits, no. 1")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("b")
        await until(pilot, lambda: refused == [100] and len(app._notifications) > 1)
        await pilot.press("end", "l")
        await until(pilot, lambda: isinstance(app.screen, Asked))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("b")
        await until(pilot, lambda: refused == [100, 125] and done.config_path.read_bytes() == before)
    assert read_queue(tmp_path).place("clock") == 1


async def test_the_monitor_of_what_waits_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock")
    add(tmp_path, run)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "clock" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "It waits its turn in the queue. r starts it at once." in shown(app))
        remove(tmp_path, "clock")
        await until(pilot, lambda: "Nothing was trained yet" in shown(app))


async def test_deleting_what_waits_takes_it_out_of_the_queue(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock")
    add(tmp_path, run)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "waits, no. 1")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("x")
        await until(pilot, lambda: not run.path.exists())
    assert not read_queue(tmp_path).entries
