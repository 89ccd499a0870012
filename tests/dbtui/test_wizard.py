"""The wizard: drawn from the table of options, never in the way of typing, honest about what is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.widgets import Static

from core.config.options import RunConfig
from core.config.table import option_table
from core.data.scan import Picture, Scan
from core.data.sizes import Size
from core.planning.facts import Facts
from core.runs.folder import Run
from dbtui.app import DbtuiApp
from dbtui.drafts import STEPS, list_drafts
from dbtui.home.screen import HomeScreen
from dbtui.widgets.question import Question
from dbtui.wizard.context import WizardContext, step_of
from dbtui.wizard.rows import Row
from dbtui.wizard.thumbnails import GAP, SIDE
from dbtui.wizard.thumbnails import contact_sheet as sheet
from tests.dbtui.app_driving import FILLED, at_rest, current, imagined, open_wizard, row_of, shown, until

pytestmark = pytest.mark.usefixtures("no_disk")


async def test_each_option_stands_on_one_screen_and_the_rare_ones_behind_more(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    everyday: set[str] = set()
    every: set[str] = set()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot)
        for step in STEPS[:3]:
            await screen.wizard.go(step)
            await pilot.pause()
            everyday |= {row.path for row in current(app).query(Row)}
            assert "f5 More" in shown(app)
            await pilot.press("f5")
            await pilot.pause()
            every |= {row.path for row in current(app).query(Row)}
            assert "Less" in shown(app)
            await pilot.press("f5")
            await pilot.pause()
    expected = {option.path.replace("*", "0") for option in option_table()}
    assert every == expected | {"preset"}
    assert everyday == {option.path.replace("*", "0") for option in option_table() if not option.more} | {"preset"}


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_parameters_begin_with_how_long_and_what_happens_when(tmp_path: Path, size: tuple[int, int]) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED))
        paths = [row.path for row in screen.query(Row)]
        assert paths[:3] == ["intervals.epochs", "intervals.save_every_epochs", "intervals.sample_every_epochs"]
        assert screen.focused_row is not None and screen.focused_row.path == "intervals.epochs"
        sections = list(dict.fromkeys(path.rpartition(".")[0] for path in paths))
        assert sections.index("learning_rate") < sections.index("performance") < sections.index("saving")


@pytest.mark.parametrize(("source", "seen"), [("demo", True), (FILLED["model.source"], False)])
async def test_an_interval_in_steps_that_is_in_force_is_seen(tmp_path: Path, source: str, seen: bool) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", {**FILLED, "model.source": source})
        paths = [row.path for row in screen.query(Row)]
        assert ("intervals.sample_every_steps" in paths) == seen


async def test_title_and_help_of_a_field_come_from_the_table(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "parameters")
        row = row_of(screen, "batch.size")
        row.control.focus()
        await until(pilot, lambda: row.option.title in shown(app) and "Takes: a whole number" in shown(app))


async def test_a_value_that_is_none_says_so_beside_its_field_and_goes_back_on_f6(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "parameters", preset="face")
        row = row_of(screen, "batch.size")
        row.control.focus()
        await pilot.press("x")
        await until(pilot, lambda: row.state.lines)
        assert row.state.marked and "whole number" in row.state.lines[0].text
        await pilot.press("f6")
        await until(pilot, lambda: row.text == "1")
        assert not row.state.lines and not row.state.changed


async def test_the_second_screen_begins_with_the_pictures_also_with_every_option(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "model", dict(FILLED))
        await pilot.press("f5")
        await screen.wizard.go("concepts")
        await until(pilot, lambda: current(app).step == "concepts" and current(app).focused_row is not None)
        row = current(app).focused_row
        assert row is not None and row.path == "concepts.0.instance.directory"
        assert next(row.path for row in current(app).query(Row)) == "concepts.0.name"


async def test_a_switch_that_is_off_bears_no_cross(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "parameters")
        row_of(screen, "performance.gradient_checkpointing").control.focus()
        await pilot.pause()
        assert "▐ ▌ off" in shown(app)
        await pilot.press("space")
        await until(pilot, lambda: "▐X▌ on" in shown(app))


async def test_next_is_always_there_and_goes_to_the_first_field_that_is_wrong(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot, "model", {"model.name": "clock"})
        await pilot.press("f4")
        await until(pilot, lambda: screen.focused_row is not None and screen.focused_row.path == "model.source")
        assert app.screen is screen


async def test_next_shows_a_wrong_field_that_was_behind_more(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED))
        await screen.go_to_field("performance.offset_noise")
        await until(pilot, lambda: screen.focused_row is not None)
        assert screen.focused_row is not None and screen.focused_row.path == "performance.offset_noise"


async def test_an_untouched_empty_field_does_not_complain_before_it_was_reached(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot)
        assert not row_of(screen, "model.source").state.lines


async def test_f2_offers_the_pairs_that_divide_and_a_digit_takes_one(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED))
        row = row_of(screen, "batch.size")
        row.control.focus()
        await pilot.press("end", "backspace", "4")
        await until(pilot, lambda: any("F2" in line.text for line in row.state.lines))
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("1")
        await until(pilot, lambda: row.text != "4")
        config = screen.context.config
        assert 6 % (config.batch.size * config.batch.accumulation) == 0
        assert not screen.context.errors_of("parameters")


async def test_a_preset_says_what_it_sets_and_fields_show_what_differs_from_it(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot)
        screen.context.edit("preset", "face")
        screen.show()
        purpose, fills, *_ = (line.text for line in row_of(screen, "preset").state.lines)
        assert purpose == "One person or one animal with a face of its own."
        assert "Text encoder ratio 0.7 (was 0)" in fills and "→" not in fills
        assert not screen.context.is_changed("performance.text_encoder_ratio")
        screen.context.edit("performance.text_encoder_ratio", "0.5")
        assert screen.context.is_changed("performance.text_encoder_ratio")
        screen.context.edit("performance.text_encoder_ratio", "0.7")
        assert not screen.context.is_changed("performance.text_encoder_ratio")


async def test_pictures_and_tokens_are_told_beside_their_fields(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        assert "6 pictures, 1024 × 768 to 1024 × 773 px" in shown(app)
        assert row_of(screen, "concepts.0.instance.identifier").state.lines[0].text == "one piece (1 token)"


@pytest.mark.parametrize("word", ["xjyxjy", "我的狗"])
async def test_an_identifier_of_many_tokens_is_told_once(tmp_path: Path, word: str) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", FILLED | {"concepts.0.instance.identifier": word})
        row = row_of(screen, "concepts.0.instance.identifier")
        assert sum("token" in line.text for line in row.state.lines) == 1


@pytest.mark.parametrize(("size", "seen"), [((120, 36), True), ((120, 24), False), ((80, 36), False)])
async def test_the_pictures_are_seen_where_there_is_room_and_read_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], seen: bool
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(7)]
    for number, path in enumerate(paths):
        Image.new("RGB", (40, 30), (number * 30, 0, 0)).save(path)
    paths[1].write_bytes(b"no picture any more")

    def survey(config: RunConfig, home: Path, *, decode: bool) -> Facts:
        pictures = tuple(Picture(path, 40, 30) for path in paths)
        return replace(imagined(config, home, decode=decode), scans=(Scan(tmp_path, pictures, ()),))

    monkeypatch.setattr("dbtui.wizard.flow.survey", survey)
    sheets: list[Any] = []
    monkeypatch.setattr("dbtui.wizard.thumbnails.contact_sheet", lambda paths: sheets.append(paths) or sheet(paths))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        if seen:
            await until(pilot, lambda: "▀▀▀" in shown(app))
            assert "The first 6 of 7" in shown(app)
            assert sheets == [tuple((path, Size(512, 512)) for path in paths[:6])]
        else:
            await asyncio.sleep(0.6)
            await pilot.pause()
            assert not sheets and "▀" not in shown(app)
        assert app.screen is screen


def test_the_sheet_shows_every_picture_that_can_be_read_with_what_is_cut_off_in_the_dark(tmp_path: Path) -> None:
    for name, colour in (("red", (250, 0, 0)), ("blue", (0, 0, 250))):
        Image.new("RGB", (192, 96), colour).save(tmp_path / f"{name}.png")
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    square = Size(512, 512)
    drawn = sheet(((tmp_path / "red.png", square), (tmp_path / "damaged.png", square), (tmp_path / "blue.png", None)))
    assert drawn is not None and drawn.size == (2 * SIDE + GAP, SIDE)
    middle = SIDE // 2
    assert drawn.getpixel((middle, middle)) == (250, 0, 0) and drawn.getpixel((4, middle)) == (75, 0, 0)
    assert drawn.getpixel((SIDE + GAP + 4, middle)) == (0, 0, 250), "its size is not known"
    assert sheet(((tmp_path / "damaged.png", square),)) is None


async def test_what_was_typed_is_on_disk_within_a_second(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        screen = await open_wizard(pilot)
        row_of(screen, "model.name").control.focus()
        typed = time.monotonic()
        await pilot.press("c", "a", "t")
        await until(pilot, lambda: any(draft.texts.get("model.name") == "cat" for draft in list_drafts(tmp_path)))
        assert time.monotonic() - typed < 5  # a second, on a machine that does nothing else


async def test_opening_and_leaving_without_typing_leaves_no_draft(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test() as pilot:
        await open_wizard(pilot)
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    assert list_drafts(tmp_path) == []


async def test_starting_makes_the_run_launches_it_and_forgets_the_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[tuple[Run, bool]] = []
    monkeypatch.setattr(DbtuiApp, "start_run",
                        lambda self, run, *, background, **how: launched.append((run, background)))  # fmt: skip
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "parameters", dict(FILLED), preset="face")
        screen.wizard.changed()
        await until(pilot, lambda: list_drafts(tmp_path))
        await pilot.press("f4")
        await until(pilot, lambda: current(app).step == "review" and not current(app).wizard.is_busy)
        await pilot.press("b")
        await until(pilot, lambda: launched)
        run, background = launched[0]
        config = run.config()
        assert (run.name, background) == ("clock", True)
        assert config.concepts[0].prior.images_per_instance == 5
        assert config.performance.seed >= 0
        assert isinstance(app.screen, HomeScreen)
    assert list_drafts(tmp_path) == []


async def test_with_an_error_nothing_starts_and_the_field_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DbtuiApp, "start_run", lambda self, run, **how: pytest.fail("it started"))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "review", {**FILLED, "batch.size": "4"})
        await pilot.press("s")
        await until(pilot, lambda: current(app).step == "parameters" and current(app).focused_row is not None)
        row = current(app).focused_row
        assert row is not None and row.path == "batch.size"
    assert not (tmp_path / "runs" / "clock").exists()


async def test_review_tells_the_plan_in_words_and_draws_the_curve(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_wizard(pilot, "review", dict(FILLED), preset="face")
        await until(pilot, lambda: "30 class pictures, 30 to make first" in shown(app))
        assert "600 = 100 epochs of 6 steps" in shown(app)
        await until(pilot, lambda: "1e-6 ┫" in shown(app))


@pytest.mark.parametrize(
    ("device", "gpu", "told"),
    [("cuda", "Imagined 24", "Imagined 24"), ("cpu", "", "CPU: no graphics card; a real model takes hours to days")],
)
async def test_the_plan_says_what_it_trains_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, gpu: str, told: str
) -> None:
    def look(config: RunConfig, home: Path, **options: Any) -> Facts:
        facts = imagined(config, home, **options)
        assert facts.machine is not None
        return replace(facts, machine=replace(facts.machine, device=device, gpu=gpu))

    monkeypatch.setattr("dbtui.wizard.flow.survey", look)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_wizard(pilot, "review", dict(FILLED))
        await until(pilot, lambda: any("Device" in row and told in row for row in shown(app).splitlines()))


@pytest.mark.parametrize("path", ["model.source", "concepts.3.name", "batch.size", ""])
def test_every_field_belongs_to_a_screen(path: str) -> None:
    assert step_of(path) in STEPS


def test_a_changed_preset_keeps_what_was_typed(tmp_path: Path) -> None:
    context = WizardContext(tmp_path)
    context.edit("intervals.epochs", "7")
    context.edit("preset", "style")
    assert context.config.intervals.epochs == 7


SCREENS = [("model", 0), *((step, 1) for step in STEPS)]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 50)], ids=["80x24", "120x36", "160x50"])
@pytest.mark.parametrize(("step", "filled"), SCREENS, ids=["model-empty", *STEPS])
def test_screens_look_as_they_did(
    snap_compare: Callable[..., bool], tmp_path: Path, size: tuple[int, int], step: str, filled: int
) -> None:
    async def prepare(pilot: Any) -> None:
        screen = await open_wizard(pilot, step, dict(FILLED) if filled else {}, "face" if filled else "")
        last_words = "In background" if step == "review" else "Next"
        await until(pilot, lambda: screen.focused is not None and last_words in shown(pilot.app).splitlines()[-1])
        seen = "Memory" if size == (80, 24) else "1e-6 ┫"  # the curve is farther down there
        await until(pilot, lambda: step != "review" or seen in shown(pilot.app))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path), run_before=prepare, terminal_size=size)


async def test_a_unit_stands_only_behind_what_is_counted_in_it(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "parameters", FILLED | {"learning_rate.warmup_steps": "10%"})
        row = row_of(screen, "learning_rate.warmup_steps")
        row.control.focus()
        aside = row.query_one(".aside", Static)
        await until(pilot, lambda: row.state.text == "10%" and str(aside.content) == "")
        await pilot.press("end", "backspace")
        await until(pilot, lambda: str(aside.content) == "optimizer steps")
        await pilot.press("%")
        await until(pilot, lambda: str(aside.content) == "")
        assert str(row_of(screen, "intervals.epochs").query_one(".aside", Static).content) == "epochs"
