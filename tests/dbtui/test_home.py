"""Home: what there is, in words, and what its keys do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import OptionList

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Done, Failed, Phase, RunStarted, Step, Stopped, encode
from core.runs.folder import Run
from core.runs.lock import RunLock
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft, list_drafts, save_draft
from dbtui.home.rows import STATES, bar, heads
from dbtui.home.screen import HomeScreen
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from tests.dbtui.app_driving import HOSTILE, imagined, shown, until


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
        assert "Press t to try it with the demo" in shown(app) and "Press n to begin" in shown(app)


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
    lock = RunLock(run.lock_path)
    lock.acquire()
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "► training" in shown(app))
        possible = {name: app.screen.check_action(name, ()) for name in ("open", "resume", "delete")}
        assert possible == {"open": True, "resume": False, "delete": False}
        await pilot.press("d")
        assert not isinstance(app.screen, Question)
    lock.release()


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
        await pilot.press("d")
        await until(pilot, lambda: not run.path.exists() and "Welcome" in shown(app))


async def test_resuming_asks_where_and_goes_through_the_launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "clock", begun(), a_step(5), Stopped(step=5, saved=True))
    asked: list[tuple[str, bool, bool]] = []
    monkeypatch.setattr(
        DbtuiApp, "start_run", lambda self, run, *, resume, background: asked.append((run.name, resume, background))
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
        await pilot.press("d")
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
