"""Home: what there is, in words, and what its keys do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList

from core.config.options import Concept, RunConfig
from core.config.parsing import with_changes
from core.events import Done, Failed, Phase, RunStarted, Step, Stopped, encode
from core.runs.again import Share
from core.runs.folder import Run
from core.runs.history import Summary, summary
from core.runs.lock import RunLock
from core.runs.longer import changes_for
from core.runs.queue import add, begin, lock_path, read_queue
from core.runs.queue import asked as asked_to_end
from core.texts import UserError
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft, list_drafts, save_draft
from dbtui.faults import told
from dbtui.home.rows import STATES, Entry, bar, heads
from dbtui.home.screen import HomeScreen
from dbtui.monitor.looking import Watch
from dbtui.monitor.screen import MonitorScreen
from dbtui.widgets.asked import Asked
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from tests.dbtui.app_driving import HOSTILE, imagined, open_wizard, shown, until
from tests.dbtui.synthetic import held, started, step


def make_run(home: Path, name: str, *events: object) -> Run:
    run = Run.create(home, with_changes(RunConfig(), {"model.name": name}), "test")
    run.journal_path.write_text("".join(encode(event) + "\n" for event in events))  # type: ignore[arg-type]
    return run


def begun(total: int = 600) -> RunStarted:
    return RunStarted(config_hash="", versions={}, device="CPU", total_steps=total, steps_per_epoch=6)


def a_step(number: int) -> Step:
    return Step(step=number, epoch=1, loss=0.125, instance_loss=0.1, prior_loss=None, rate=1e-6, text_encoder_rate=None,
                gradient_norm=1.0, images_per_second=2.0, memory_bytes=0)  # fmt: skip


async def test_a_newcomer_is_welcomed_and_told_what_to_press(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Welcome" in shown(app)
        assert "Press t for the demo" in shown(app) and "Press n for your own pictures" in shown(app)


async def test_a_run_stands_there_with_state_progress_and_last_loss(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(), Phase(name="training"), a_step(150), Stopped(step=150, saved=True))
    make_run(tmp_path, "broken", begun(), Failed(code="x", message="no"))
    make_run(tmp_path, "cat", begun(10), a_step(10), Done(step=10, seconds=5))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "150/600" in shown(app))
        rows = shown(app).splitlines()
        lines = {name: next(row for row in rows if name in row) for name in ("clock", "broken", "cat")}
        heads_line = next(row for row in rows if "State" in row)
        assert [heads_line.index(title) for title in ("State", "Run")] == [
            lines["clock"].index(words) for words in ("stopped", "clock")
        ]
        assert "■ stopped" in lines["clock"] and "0.1250" in lines["clock"]
        assert "✗ failed" in lines["broken"]
        assert "✓ done" in lines["cat"] and "10/10" in lines["cat"]


async def test_the_cursor_starts_on_the_first_row_and_then_keeps_to_its_run(tmp_path: Path) -> None:
    make_run(tmp_path, "aged", replace(begun(), time=1e9))
    make_run(tmp_path, "young", replace(begun(), time=1.1e9))
    save_draft(tmp_path, Draft("20250101-120000-aaaa", "face", "concepts", 1, {"model.name": "my-clock"}))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "~ draft" in shown(app))
        screen = app.screen
        assert isinstance(screen, HomeScreen) and screen.selected is not None
        assert (screen.entries[0].state, screen.selected.name) == ("draft", "my-clock")
        await pilot.press("end")
        assert screen.selected.name == "aged"
        make_run(tmp_path, "brand-new", begun())
        screen.look()
        await until(pilot, lambda: "brand-new" in shown(app))
        assert screen.selected.name == "aged"


async def test_back_from_a_monitor_the_cursor_stands_on_the_run_that_was_watched(tmp_path: Path) -> None:
    make_run(tmp_path, "aged", replace(begun(), time=1e9))
    make_run(tmp_path, "young", replace(begun(), time=1.1e9))
    app = DbtuiApp(tmp_path, attach="aged")
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen_stack[0]
        assert isinstance(home, HomeScreen)

        async def is_on(name: str) -> None:
            home.look()
            await until(pilot, lambda: home._was_read and not home._reads and len(app.screen_stack) == 1)
            assert home.selected is not None and home.selected.name == name

        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("h")
        await is_on("aged")
        await pilot.press("up")
        await is_on("young")

        make_run(tmp_path, "brand-new", begun())
        app.open_run("brand-new")
        await pilot.press("h")
        await until(pilot, lambda: "brand-new" in shown(app))
        await is_on("brand-new")

        app.open_run("aged")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("g")
        await until(pilot, lambda: len(app.screen_stack) == 3)
        await pilot.press("escape", "h")
        await is_on("aged")


@pytest.mark.parametrize("away", [False, True], ids=["seen", "away"])
async def test_a_run_that_ends_in_another_process_rings_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("dbtui.home.screen.REFRESH_SECONDS", 0.05)
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    make_run(tmp_path, "aged", begun(5), a_step(5), Done(step=5, seconds=9))
    run = make_run(tmp_path, "clock", begun(), Phase(name="training"), a_step(150))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "150/600" in shown(app))
        written: list[str] = []
        monkeypatch.setattr(app._driver, "write", written.append)
        if away:
            await open_wizard(pilot)
        with run.journal_path.open("a") as journal:
            journal.write(encode(Done(step=600, seconds=9)) + "\n")
        await until(pilot, lambda: any("clock is done" in notice.message for notice in app._notifications))
        home = app.screen_stack[0]
        assert isinstance(home, HomeScreen)
        seen = home._ticks
        await until(pilot, lambda: home._ticks > seen + 12)
        told = [text for text in written if "is done" in text]
        assert len(told) == 1 and "clock is done: 600 steps" in told[0] and told[0].endswith("\a")


async def test_a_run_whose_journal_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "clock", begun())
    (make_run(tmp_path, "odd").journal_path).unlink()
    (tmp_path / "runs" / "odd" / "journal.jsonl").mkdir()
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "unreadable" in shown(app))
        assert "clock" in shown(app)


async def test_only_what_is_possible_with_the_selected_one_is_offered(tmp_path: Path) -> None:
    make_run(tmp_path, "fresh")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "not started" in shown(app))
        screen = app.screen
        possible = {name: screen.check_action(name, ()) for name in ("open", "resume", "export", "delete")}
        assert possible == {"open": True, "resume": True, "export": False, "delete": True}


async def test_a_run_in_training_can_be_neither_deleted_nor_resumed(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", begun(), Phase(name="training"), a_step(5))
    app = DbtuiApp(tmp_path)
    with held(run):
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "► training" in shown(app))
            possible = {name: app.screen.check_action(name, ()) for name in ("open", "resume", "delete")}
            assert possible == {"open": True, "resume": False, "delete": False}
            await pilot.press("d")
            assert not isinstance(app.screen, Question)


async def test_a_finished_run_is_not_resumed_by_a_key_but_says_how_it_is_trained_longer(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: "✓ done" in shown(app))
        assert app.screen.check_action("resume", ()) is False
        assert "dbtui train clock --resume --set intervals.epochs=" in shown(app)


async def test_deleting_asks_first_says_what_is_lost_and_then_deletes(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    (run.checkpoints / "step-000005").mkdir(parents=True)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "stopped" in shown(app))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "1 saved state" in str(app.screen.text)  # type: ignore[attr-defined]
        await pilot.press("enter")
        assert run.path.is_dir()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("d", "d")
        await pilot.pause(0.2)
        assert run.path.is_dir() and isinstance(app.screen, Question), "the key that asks is not the one that does"
        await pilot.press("x")
        await until(pilot, lambda: not run.path.exists() and "Welcome" in shown(app))


@pytest.mark.parametrize("key", ["d", "l", "a"])
async def test_a_key_that_is_pressed_twice_asks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    make_run(tmp_path, "clock", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "✓ done")
        await pilot.press(key, key, key)
        await until(pilot, lambda: len(app.screen_stack) > 1)
        await until(pilot, lambda: all(worker.is_finished for worker in app.workers if worker.group == "do"))
        await pilot.pause(0.1)
        assert len(app.screen_stack) == 2


async def test_a_mistake_in_the_program_is_said_and_its_place_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        raise TypeError("evil \x1b")
    except TypeError as error:
        assert "TypeError: evil \\x1b. Please report" in told(error, tmp_path)
    logged = (tmp_path / "app.log").read_text()
    assert "test_home.py" in logged and "\x1b" not in logged

    def mistaken(home: Path, name: str) -> str:
        raise TypeError("no such thing")

    monkeypatch.setattr("dbtui.home.deleting.what_is_lost", mistaken)
    make_run(tmp_path, "clock", begun())
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "not started" in shown(app) or "cut off" in shown(app))
        for _ in range(2):
            app.clear_notifications()
            await pilot.press("d")
            await until(pilot, lambda: app._notifications)
            said = next(iter(app._notifications)).message
            assert "fault of dbtui itself: TypeError: no such thing" in said and "app.log" in said


async def test_a_mistake_that_comes_with_every_look_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def mistaken(home: Path) -> list[Draft]:
        asked.append(home)
        raise KeyError("drafts")

    monkeypatch.setattr("dbtui.drafts.list_drafts", mistaken)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        for number in (1, 2, 3):
            await until(pilot, lambda number=number: len(asked) >= number and not app.screen._reads)  # type: ignore[misc]
            app.screen.look()  # type: ignore[attr-defined]
        await until(pilot, lambda: app._notifications)
        assert ["fault of dbtui itself: KeyError" in notice.message for notice in app._notifications] == [True]


async def test_resuming_asks_where_and_goes_through_the_launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    asked: list[tuple[str, bool, bool]] = []
    monkeypatch.setattr(
        DbtuiApp,
        "start_run",
        lambda self, run, *, resume, background, after: asked.append((run.name, resume, background)),
    )
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "stopped" in shown(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("b")
        await until(pilot, lambda: asked)
    assert asked == [("clock", True, True)]


async def test_a_draft_is_listed_continued_where_it_was_left_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    save_draft(tmp_path, Draft("20250101-120000-aaaa", "face", "concepts", 1, {"model.name": "my-clock"}))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "~ draft" in shown(app) and "my-clock" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen))
        screen = app.screen
        assert isinstance(screen, WizardScreen)
        assert (screen.step, screen.context.preset) == ("concepts", "face")
        assert screen.context.text("model.name") == "my-clock"
        await pilot.press("f3")
        await until(pilot, lambda: app.screen is not screen)
        await pilot.press("f3")
        await until(pilot, lambda: app.screen.query(OptionList))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("x")
        await until(pilot, lambda: not list_drafts(tmp_path) and "Welcome" in shown(app))


def test_a_draft_comes_back_as_it_was_typed(tmp_path: Path) -> None:
    texts = {"model.name": "", "batch.size": "four", **{f"concepts.0.{n}": name for n, name in enumerate(HOSTILE)}}
    save_draft(tmp_path, Draft("20250101-120000-aaaa", "face", "review", 3, texts))
    (kept,) = list_drafts(tmp_path)
    assert (kept.preset, kept.step, kept.concepts, dict(kept.texts)) == ("face", "review", 3, texts)


def test_a_damaged_draft_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "x.toml").write_text("preset = [")
    (tmp_path / "drafts" / "y.toml").write_text("concepts = 'many'")
    assert list_drafts(tmp_path) == []
    assert (tmp_path / "drafts" / "x.toml").exists()


@pytest.mark.parametrize(
    ("done", "total", "drawn"), [(0, 10, "────"), (5, 10, "━━──"), (10, 10, "━━━━"), (0, 0, "────")]
)
def test_the_bar_is_as_long_as_the_share_that_is_done(done: int, total: int, drawn: str) -> None:
    assert bar(done, total, 4) == drawn


def test_the_line_of_titles_fits_eighty_columns() -> None:
    assert len(heads(78)) <= 80
    assert all(len(words) <= 14 for _, words, _ in STATES.values())


def looked_at(app: DbtuiApp, pilot: Any, text: str) -> Any:
    return until(pilot, lambda: text in shown(app))


def test_what_trains_stands_first_then_what_waits_then_the_newest() -> None:
    def seen(name: str, state: str, updated: float) -> Summary:
        return Summary(name, state, 1, 2, None, None, 0, "", updated)

    entries = [
        Entry("old", seen("old", "done", 1e9)),
        Entry("second", seen("second", "new", 0.0), place=2),
        Entry("new", seen("new", "stopped", 1.2e9)),
        Entry("first", seen("first", "stopped", 1.3e9), place=1),
        Entry("typed", draft=Draft("x", changed=1.1e9)),
        Entry("trains", seen("trains", "training", 1.0e9)),
        Entry("rests", seen("rests", "paused", 0.5e9)),
    ]
    ranked = sorted(entries, key=lambda entry: entry.rank)
    assert [entry.name for entry in ranked] == ["rests", "trains", "first", "second", "new", "typed", "old"]


async def test_the_size_of_each_run_comes_from_a_thread_and_follows_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.overview.MEASURE_AGAIN_SECONDS", 0.0)
    run = make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    (run.path / "big").write_bytes(b"x" * 2_000_000)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "2.0 MB")
        (run.path / "bigger").write_bytes(b"x" * 3_000_000)
        with run.journal_path.open("a") as journal:
            journal.write(encode(Stopped(step=6, saved=True)) + "\n")
        app.screen.look()  # type: ignore[attr-defined]
        await looked_at(app, pilot, "5.0 MB")


async def test_a_folder_that_takes_long_to_measure_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    gate = threading.Event()
    monkeypatch.setattr("core.runs.overview.folder_bytes", lambda path: gate.wait(30) and 7_000_000)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "stopped")
        make_run(tmp_path, "cat")
        app.screen.look()  # type: ignore[attr-defined]
        await looked_at(app, pilot, "cat")
        assert "7.0 MB" not in shown(app)
        gate.set()
        await looked_at(app, pilot, "7.0 MB")


async def test_a_finished_run_is_trained_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, "clock", begun(600), a_step(600), Done(step=600, seconds=9))
    asked: list[tuple[str, bool, bool]] = []
    monkeypatch.setattr(
        DbtuiApp, "start_run",
        lambda self, run, *, resume, background, after: asked.append((run.name, resume, background)),
    )  # fmt: skip
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "✓ done")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, Asked))
        assert "100 epochs, 600 steps" in shown(app)
        await pilot.press("0", "enter")  # nothing is no number of epochs
        await pilot.pause()
        assert "from 1 to" in shown(app)
        await pilot.press("backspace", "4", "0", "enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert run.config().intervals.epochs == 100
        await pilot.press("b")
        await until(pilot, lambda: asked)
    assert asked == [("clock", True, True)]
    assert run.config().intervals.epochs == 140


def test_longer_counts_epochs_in_steps_where_steps_are_what_ends_a_run() -> None:
    config = with_changes(RunConfig(), {"intervals.epochs": 10})
    assert changes_for(config, 5, 6) == {"intervals.epochs": 15}
    config = with_changes(config, {"intervals.max_steps": 100})
    assert changes_for(config, 5, 6) == {"intervals.max_steps": 130}


async def test_copying_opens_the_wizard_with_the_options_of_the_run_under_a_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    changes = {"model.name": "clock", "batch.size": 3,
               "concepts.0.instance.directory": "/pictures/clock", "concepts.0.instance.class_noun": "alarm clock",
               "concepts.1.instance.directory": "/pictures/cat", "concepts.1.instance.repeats": 4,
               "learning_rate.rate": 3e-6}  # fmt: skip
    config = RunConfig(concepts=(Concept(), Concept()))
    run = Run.create(tmp_path, with_changes(config, changes), "test")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "not started")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
        screen = app.screen
        assert isinstance(screen, WizardScreen)
        await until(pilot, lambda: screen.context.looked is not None and not screen.wizard.is_busy)
        made = run.config()
        assert screen.context.config == made.model_copy(
            update={"model": made.model.model_copy(update={"name": "clock-2"})}
        )
        assert not list_drafts(tmp_path)  # a look at it leaves nothing behind


async def test_a_run_gets_another_name(tmp_path: Path) -> None:
    make_run(tmp_path, "cat")
    run = make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_at(app, pilot, "stopped")
        for typed, told in (("cat", "of that name already"), ("../x", "Letters, digits")):
            await pilot.press("m")
            await until(pilot, lambda: isinstance(app.screen, Asked))
            app.screen.query_one(Input).value = typed
            await pilot.press("enter")
            await looked_at(app, pilot, told)
            await pilot.press("escape")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Asked))
        app.screen.query_one(Input).value = "bell"
        await pilot.press("enter")
        await looked_at(app, pilot, "bell")
    assert not run.path.exists()
    renamed = Run.open(tmp_path, "bell")
    assert (renamed.config().model.name, summary(renamed).step) == ("bell", 5)


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


async def test_home_does_not_draw_itself_under_another_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual would send all of the screen that lies over it, which a slow line pays for."""
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    make_run(tmp_path, "clock", begun(), a_step(5))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "clock" in shown(app))
        home = app.screen
        assert isinstance(home, HomeScreen)
        await open_wizard(pilot)
        drawn: list[int] = []
        monkeypatch.setattr(home, "_show", lambda entries, keep=True: drawn.append(len(entries)))
        home._was_looked(home._read())
        assert not drawn
        await pilot.press("f3")
        await until(pilot, lambda: bool(drawn))


@pytest.mark.parametrize("is_saved", [False, True])
@pytest.mark.parametrize("state", ["stopped", "failed", "lost"])
async def test_a_run_of_which_nothing_was_saved_begins_again_and_one_with_a_state_goes_on_from_there(
    home: Path, make_run: Callable[..., Run], state: str, is_saved: bool
) -> None:
    ending = {"stopped": [Stopped(step=122, saved=False)], "failed": [Failed(code="x", message="m", advice="a")],
              "lost": []}[state]  # fmt: skip
    run = make_run("clock", started(300), step(122), *ending)
    if is_saved:
        (run.path / "checkpoints" / "step-000100").mkdir(parents=True)
    app = DbtuiApp(home)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: ("clock" in shown(app) and "r Re" in shown(app)) or "r St" in shown(app))
        assert ("step 0" in shown(app)) == ("r Start again" in shown(app)) == (not is_saved)
        assert state != "stopped" or ("100/300" if is_saved else " 0/300") in shown(app), "the rest was not kept"
        assert state != "lost" or not is_saved or "goes on from step 100" in shown(app)
        if not is_saved:
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "r Start again" in shown(app))


async def test_a_run_is_not_said_to_be_new_before_its_journal_was_read(
    home: Path, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("clock", started(300), step(122), Failed(code="x", message="It broke.", advice="a"))
    may_read, read = threading.Event(), Watch.read
    monkeypatch.setattr(Watch, "read", lambda self, *others: may_read.wait(20) and read(self, *others))
    app = DbtuiApp(home, attach=run.name)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "Reading what" in shown(app))
        assert "Nothing was trained" not in shown(app) and "not started" not in shown(app)
        may_read.set()
        await until(pilot, lambda: "It broke." in shown(app))
        assert "Reading what" not in shown(app)
