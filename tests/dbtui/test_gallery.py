"""The gallery: what it shows at each size, what its keys do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from textual.pilot import Pilot

from core.best import best_step
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Sample
from core.runs.folder import Run
from core.settings import settings_path
from dbtui.app import DbtuiApp
from dbtui.gallery.beside import Beside
from dbtui.gallery.large import Large
from dbtui.gallery.screen import GalleryScreen
from dbtui.gallery.sides import Compare
from dbtui.widgets.picture import Picture
from dbtui.widgets.question import Question
from tests.dbtui import synthetic
from tests.dbtui.app_driving import HOSTILE, shown, until
from tests.dbtui.synthetic import NOON, SyntheticRun

NARROW, WIDE, VAST = (80, 24), (120, 36), (160, 50)
PROMPTS = ("a photo of sks alarm clock on a table", "a sks alarm clock on the beach, watercolour")


def draw(path: Path, hue: int, size: int) -> None:
    """A shape that grows from step to step, in the prompt's colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (128, 128), (28, 32, 40))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 100, 128, 128), fill=(70, 66, 58))
    pen.circle((64, 64), size, fill=(200, 120, 60) if hue == 0 else (90, 150, 200))
    picture.save(path)


def previews(run: Any, steps: range, prompts: tuple[str, ...] = PROMPTS) -> Iterator[Sample]:
    for number in steps:
        for row, prompt in enumerate(prompts):
            path = run.path / "samples" / f"step-{number:06d}" / f"clock-{row:02d}.png"
            draw(path, row, 10 + number // 20)
            yield Sample(step=number, path=str(path.relative_to(run.path)), prompt=prompt, seed=42 + row,
                         concept="alarm-clock", time=NOON)  # fmt: skip


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DBTUI_GRAPHICS", "halfcell")
    monkeypatch.delenv("TERM", raising=False)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = with_changes(RunConfig(), {"model.name": "clock"})
    made = Run.create(tmp_path / "home", config, "0")
    journal = SyntheticRun.__new__(SyntheticRun)
    journal.journal_path = made.journal_path
    journal.say(synthetic.started(), *synthetic.steps(1, 600), *previews(made, range(100, 601, 100)))
    for number in (200, 600):
        (made.checkpoints / f"step-{number:06d}").mkdir(parents=True)
    return made


async def settle(pilot: Pilot[int]) -> None:
    await until(pilot, lambda: not any(not worker.is_finished for worker in pilot.app.workers))
    await pilot.pause()


async def opened(app: DbtuiApp, pilot: Pilot[int], run: Run) -> GalleryScreen:
    app.open_gallery(run)
    await until(pilot, lambda: isinstance(app.screen, GalleryScreen) and app.screen._was_read)
    await settle(pilot)
    assert isinstance(app.screen, GalleryScreen)
    return app.screen


# --- what is shown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [NARROW, WIDE, VAST], ids=["80x24", "120x36", "160x50"])
def test_snapshot(snap_compare: Any, run: Run, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, DbtuiApp)
        await opened(pilot.app, pilot, run)
        await pilot.press("m", "left", "space")
        await settle(pilot)

    assert snap_compare(DbtuiApp(run.home), terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", [NARROW, WIDE, VAST], ids=["80x24", "120x36", "160x50"])
@pytest.mark.parametrize("key", ["enter", "c"], ids=["large", "compare"])
def test_snapshot_of_what_is_opened(snap_compare: Any, run: Run, key: str, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, DbtuiApp)
        await opened(pilot.app, pilot, run)
        await pilot.press(key)
        await settle(pilot)

    assert snap_compare(DbtuiApp(run.home), terminal_size=size, run_before=before)


async def test_what_is_missing_or_damaged_is_said_in_its_place(run: Run) -> None:
    (run.path / "samples/step-000600/clock-00.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (run.path / "samples/step-000500/clock-00.png").unlink()
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        gallery = await opened(app, pilot, run)
        said = [str(picture.children[0].render()) for picture in gallery.query(Picture)]
        assert sum("cannot be shown: No such file or directory." in words for words in said) == 1
        assert sum("cannot be shown: it is damaged" in words for words in said) == 1


async def test_hostile_prompts_are_shown_and_not_obeyed(run: Run) -> None:
    journal = SyntheticRun.__new__(SyntheticRun)
    journal.journal_path = run.journal_path
    journal.say(*(Sample(step=700, path=f"samples/{text}.png", prompt=text, seed=1, concept=text, time=NOON)
                  for text in HOSTILE))  # fmt: skip
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        for _ in HOSTILE:
            await pilot.press("down")
            for keys in ([], ["enter"], ["escape", "c"], ["escape", "space"]):
                await pilot.press(*keys)
                await settle(pilot)
                assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(shown(app))
        assert app.is_running


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (40, 12)])
async def test_no_size_crashes_it(run: Run, size: tuple[int, int]) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        for key in ("right", "enter", "escape", "c", "escape"):
            await pilot.press(key)
            await pilot.resize_terminal(*size)
            await settle(pilot)
            await pilot.resize_terminal(*NARROW)


async def test_it_begins_at_the_newest_step_and_arrows_move_and_scroll(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        assert gallery.step == 600 and "▸ step 600" in shown(app)
        await pilot.press("left", "left", "left", "left")
        await settle(pilot)
        assert gallery.step == 200 and "▸ step 200" in shown(app) and "step 600" not in shown(app)
        await pilot.press("down")
        await settle(pilot)
        assert PROMPTS[1] in shown(app) and gallery.sample is not None and gallery.sample.seed == 43
        await pilot.press("home", "up", "up")
        assert gallery.cursor == (0, 0)
        await pilot.press("end")
        assert gallery.step == 600
        await pilot.press("pageup")
        assert gallery.step == 300
        await pilot.press("pagedown", "pagedown", "right")
        assert gallery.step == 600


async def test_a_click_focuses_and_two_open(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        await pilot.click("Cell", offset=(3, 3))
        await settle(pilot)
        assert gallery.step == 400
        await pilot.click("Cell", offset=(3, 3), times=2)
        await settle(pilot)
        assert isinstance(app.screen, Large)


async def test_enter_shows_a_preview_in_full_and_arrows_go_on_there(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        await pilot.press("enter")
        await settle(pilot)
        for words in (PROMPTS[0], "step 600", "seed 42", "alarm-clock", "clock-00.png"):
            assert words in shown(app)
        await pilot.press("left", "down")
        await settle(pilot)
        assert "step 500" in shown(app) and "seed 43" in shown(app)
        await pilot.press("y")
        assert app.clipboard == str(run.path / "samples/step-000500/clock-01.png")
        await pilot.press("escape")
        assert app.screen is gallery and gallery.step == 500


async def test_m_marks_the_best_step_which_is_remembered_and_again_unmarks_it(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        await pilot.press("left", "m")
        await settle(pilot)
        assert best_step(run.path) == 500 and "step 500 · best" in shown(app)
        await pilot.press("escape")
        await opened(app, pilot, run)
        assert "Marked as the best: step 500" in shown(app)
        await pilot.press("left", "enter", "m")
        await settle(pilot)
        assert app.screen is not gallery and best_step(run.path) is None


async def test_m_in_full_stays_there_and_says_what_became_of_the_mark_before(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        await pilot.press("m", "left", "enter")
        await until(pilot, lambda: isinstance(app.screen, Large) and gallery.best == 600)
        assert "marked as the best" not in shown(app).splitlines()[-3]
        await pilot.press("m")
        await until(pilot, lambda: best_step(run.path) == 500 and gallery.best == 500)
        await settle(pilot)
        assert isinstance(app.screen, Large)
        assert "step 500" in shown(app) and "   marked as the best" in shown(app)
        told = [notice.message.replace("\n", " ") for notice in app._notifications]
        assert any("it cannot be exported" in words and "Step 600 is no longer marked." in words for words in told)
        await pilot.press("m")
        await until(pilot, lambda: gallery.best is None)
        await settle(pilot)
        assert isinstance(app.screen, Large) and "marked as the best" not in shown(app).splitlines()[-3]


async def test_marking_a_step_that_was_not_saved_says_that_it_cannot_be_exported_and_which_can(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("left", "m")
        await until(pilot, lambda: app._notifications)
        (told,) = [notice.message for notice in app._notifications]
        assert "it cannot be exported" in told.replace("\n", " ") and "200, 600" in told
        assert "step 500, which cannot be exported" in shown(app)
        await pilot.press("right", "m")
        await until(pilot, lambda: "best: step 600." in shown(app))
        assert "cannot be exported" not in shown(app).splitlines()[-4]


async def test_space_chooses_two_and_c_compares_them(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        await pilot.press("space", "left", "left", "space", "left", "space")
        await settle(pilot)
        assert [sample.step for sample in gallery.chosen] == [400, 300]
        await pilot.press("space", "right")
        assert [sample.step for sample in gallery.chosen] == [400]
        await pilot.press("end", "c")
        await settle(pilot)
        assert isinstance(app.screen, Compare)
        assert (app.screen.left.step, app.screen.right.step) == (400, 600)
        assert len(list(app.screen.query("Picture > HalfCells"))) == 2
        await pilot.press("x", "left", "down")
        await settle(pilot)
        assert (app.screen.left.step, app.screen.right.step, app.screen.right.seed) == (600, 300, 43)
        await pilot.press("escape")
        assert app.screen is gallery


@pytest.mark.parametrize("keys", [("space", "left", "space", "c"), ("space", "left", "c")])
async def test_the_earlier_of_two_stands_on_the_left_whichever_was_chosen_first(
    run: Run, keys: tuple[str, ...]
) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press(*keys[:-1])
        await settle(pilot)
        if keys.count("space") == 2:
            assert re.search(r"step 500 · picture 1.*step 600 · picture 2", shown(app))
        await pilot.press("c")
        await settle(pilot)
        assert isinstance(app.screen, Compare)
        assert (app.screen.left.step, app.screen.right.step) == (500, 600)


async def test_c_without_a_choice_takes_the_one_before(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("c")
        assert isinstance(app.screen, Compare)
        assert (app.screen.left.step, app.screen.right.step) == (500, 600)


async def test_e_exports_the_step_or_offers_those_that_are_saved(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, int | None]] = []

    async def write(app: Any, home: Path, name: str, chosen: str, step: int | None) -> None:
        written.append((chosen, step))

    monkeypatch.setattr("dbtui.home.exporting.export", write)
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        assert "The state of this step is saved" in shown(app)
        await pilot.press("e", "1")
        await settle(pilot)
        assert written == [("safetensors", 600)]
        await pilot.press("left", "e")
        await settle(pilot)
        assert isinstance(app.screen, Question) and "No state was saved at step 500" in shown(app)
        await pilot.press("1", "2")
        await settle(pilot)
        assert written[-1] == ("ckpt", 200)


async def test_previews_that_come_are_seen_and_the_cursor_stays(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        await pilot.press("left")
        journal = SyntheticRun.__new__(SyntheticRun)
        journal.journal_path = run.journal_path
        journal.say(*previews(run, range(700, 701)))
        gallery.look()
        await until(pilot, lambda: 700 in gallery.grid.steps)
        assert gallery.step == 500


async def test_home_and_monitor_open_it_and_escape_goes_back(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await until(pilot, lambda: getattr(app.screen, "_was_read", False))
        await until(pilot, lambda: app.screen.check_action("gallery", ()))
        home = app.screen
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, GalleryScreen))
        await pilot.press("g")
        assert app.screen is home
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not home)
        monitor = app.screen
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, GalleryScreen))
        await pilot.press("escape")
        assert app.screen is monitor


# --- how pictures are drawn ---------------------------------------------------------------------------------------


async def test_the_way_of_drawing_is_chosen_while_it_runs_and_remembered(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        gallery = await opened(app, pilot, run)
        assert list(gallery.query("Picture > HalfCells"))
        await pilot.press("ctrl+g", "4")
        await settle(pilot)
        assert not list(gallery.query("Picture > HalfCells"))
        assert "clock-00.png" in " ".join(str(picture.children[0].render()) for picture in gallery.query(Picture))
        await pilot.press("ctrl+g", "1")
        await settle(pilot)
        assert list(gallery.query("Picture > HalfCells"))
    assert 'graphics = "halfcell"' in settings_path().read_text()


# --- two runs -----------------------------------------------------------------------------------------------------


def another(home: Path, steps: range, prompts: tuple[str, ...] = PROMPTS) -> Run:
    made = Run.create(home, with_changes(RunConfig(), {"model.name": "watch"}), "0")
    journal = SyntheticRun.__new__(SyntheticRun)
    journal.journal_path = made.journal_path
    journal.say(synthetic.started(), *synthetic.steps(1, 10), *previews(made, steps, prompts))
    return made


async def beside(app: DbtuiApp, pilot: Pilot[int], run: Run) -> Beside:
    await opened(app, pilot, run)
    await pilot.press("o")
    await until(pilot, lambda: isinstance(app.screen, Question))
    await pilot.press("1")
    await until(pilot, lambda: isinstance(app.screen, Beside))
    await settle(pilot)
    assert isinstance(app.screen, Beside)
    return app.screen


@pytest.mark.parametrize("size", [NARROW, WIDE, VAST], ids=["80x24", "120x36", "160x50"])
def test_snapshot_of_two_runs(snap_compare: Any, run: Run, size: tuple[int, int]) -> None:
    another(run.home, range(100, 601, 100))

    async def before(pilot: Pilot[int]) -> None:
        await beside(pilot.app, pilot, run)  # type: ignore[arg-type]

    assert snap_compare(DbtuiApp(run.home), terminal_size=size, run_before=before)


async def test_the_pictures_of_two_runs_stand_side_by_side_and_the_arrows_move_both(run: Run) -> None:
    other = another(run.home, range(100, 401, 150))
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        screen = await beside(app, pilot, run)
        assert "clock" in shown(app) and "watch" in shown(app)
        assert "step 600" in shown(app) and "step 400" in shown(app)
        await pilot.press("left", "left", "left")
        assert screen.sample.step == 300 and "step 300" in shown(app) and "step 250" in shown(app)
        await pilot.press("down")
        told = " ".join(shown(app).split())
        assert told.count("watercolour") == 2, "both go to the same prompt"
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, GalleryScreen))
        assert app.screen.step == 300  # type: ignore[attr-defined]
    assert other.path.exists()


async def test_a_run_without_previews_is_said_and_without_other_runs_too(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("o")
        await until(pilot, lambda: "no other run" in "".join(notice.message for notice in app._notifications))
        another(run.home, range(0))
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("1")
        await until(pilot, lambda: "has no previews" in "".join(notice.message for notice in app._notifications))
