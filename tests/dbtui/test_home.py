"""Home: what stands in the list of runs, and in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets._toast import Toast

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Done, Failed, Phase, RunStarted, Step, Stopped, encode
from core.runs.folder import Run
from core.runs.history import Summary, summary
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft, save_draft
from dbtui.home.rows import STATES, Entry, bar, describe, heads, line
from dbtui.home.screen import HomeScreen
from dbtui.monitor.looking import Watch
from dbtui.monitor.screen import MonitorScreen
from dbtui.widgets.question import Question
from tests.dbtui.app_driving import imagined, open_wizard, shown, until
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
            for key in ("d", "l", "m"):
                app.clear_notifications()
                await pilot.press(key)
                await until(pilot, lambda: len(app._notifications) == 1)
                assert not isinstance(app.screen, Question)
                (told,) = [notice.message for notice in app._notifications]
                assert "Stop it first: x in its monitor" in told.replace("\n", " ")


async def test_a_finished_run_is_not_resumed_by_a_key_but_says_how_it_is_trained_longer(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: "✓ done" in shown(app))
        assert app.screen.check_action("resume", ()) is False
        assert "dbtui train clock --resume --set intervals.epochs=" in shown(app)


@pytest.mark.parametrize(
    ("done", "total", "drawn"), [(0, 10, "────"), (5, 10, "━━──"), (10, 10, "━━━━"), (0, 0, "────")]
)
def test_the_bar_is_as_long_as_the_share_that_is_done(done: int, total: int, drawn: str) -> None:
    assert bar(done, total, 4) == drawn


def test_what_loads_again_shows_no_loss_of_before(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    entry = Entry("clock", summary(run))
    assert "0.1250" in line(entry, 80).plain and "0.1250" not in line(replace(entry, begins=True), 80).plain


def test_a_run_that_would_fail_again_at_once_is_not_said_to_be_tried_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", begun(), a_step(5), Failed(code="training.not-finite", message="No number."))
    assert "F2" in describe(Entry("clock", summary(run))) and "tries again" not in describe(
        Entry("clock", summary(run))
    )


def test_starting_a_run_that_waits_is_said_to_be_beside_what_trains(tmp_path: Path) -> None:
    assert "beside what trains" in describe(Entry("clock", summary(make_run(tmp_path, "clock")), place=1))


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


async def test_a_notice_covers_nothing_that_is_said_of_the_chosen_run(tmp_path: Path) -> None:
    make_run(tmp_path, "clock", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "clock" in shown(app))
        app.notify("A run named clock has been exported: 2 files\nu tells how to use them")
        await until(pilot, lambda: any(toast.region.area for toast in app.screen.query(Toast)))
        await pilot.pause(0.2)
        assert not app.screen.query_one(Toast).region.overlaps(app.screen.query_one("#below").region)


@pytest.mark.parametrize(("size", "keys"), [((80, 24), ("4",)), ((120, 36), ()), ((120, 36), ("4", "escape"))])
async def test_escape_in_the_monitor_goes_back_to_the_list_but_first_to_all_panes(
    tmp_path: Path, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    make_run(tmp_path, "clock", begun(5), a_step(5), Done(step=5, seconds=9))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "clock" in shown(app))
        app.open_run("clock")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen._knows_the_past)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, MonitorScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
