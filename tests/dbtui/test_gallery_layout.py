"""The gallery's places: where pictures, and what is told of them or instead of them, stand at any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Failed, Sample, encode
from core.languages import texts_of
from core.runs.folder import Run
from core.texts import say, use_language
from dbtui.app import DbtuiApp
from dbtui.gallery.cells import caption
from dbtui.gallery.large import facts_of
from dbtui.gallery.layout import SMALLEST, layout, window
from dbtui.gallery.screen import GalleryScreen
from dbtui.gallery.sides import Compare
from tests.dbtui.app_driving import shown, until
from tests.dbtui.test_gallery import NARROW, VAST, WIDE, opened, surroundings  # noqa: F401 - a fixture


@pytest.mark.parametrize("size", [NARROW, WIDE, VAST], ids=["80x24", "120x36", "160x50"])
def test_large_pictures_fill_the_place_and_leave_a_line_to_be_told(size: tuple[int, int]) -> None:
    for rows in (1, 2, 5, 12):
        for columns in (1, 2, 6, 40):
            found = layout(size[0] - 2, size[1] - 7, rows, columns)
            assert found.columns * (found.width + 2) <= size[0] - 2
            assert found.rows * (found.height + 2) <= size[1] - 7
            assert found.rows <= rows and found.columns <= columns
            assert found.width >= 24 and found.height >= 12
            if columns >= 3:
                assert found.columns >= 3


@pytest.mark.parametrize("step", [5, 300, 12_500, 1_200_000])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_under_a_picture_is_whole_where_it_is_smallest(step: int, language: str) -> None:
    sample = Sample(step=step, path="a.png", prompt="a clock", seed=1)
    use_language(texts_of(language))
    try:
        told = caption(sample, step=step, focused=True, compared=2, best=True, width=SMALLEST[0]).plain.rstrip()
        wide = caption(sample, step=step, focused=True, compared=2, best=True, width=60).plain.rstrip()
        best = say("gallery.is-best", "best")
    finally:
        use_language(None)
    assert f"{step:,}" in told and best in told and "2" in told and "…" not in told
    assert cell_len(told) <= SMALLEST[0] < cell_len(wide) or told == wide


async def test_what_is_compared_is_told_without_a_break_within(tmp_path: Path) -> None:
    sample = Sample(step=300, path="a.png", prompt="a photo of a dog face", seed=42, concept="dog", of_class=True)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=NARROW) as pilot:
        app.push_screen(
            Compare(sample, replace(sample, step=1_200, concept="alarm-clock"), tmp_path, lambda *_: sample)
        )
        await until(pilot, lambda: isinstance(app.screen, Compare) and "1,200" in shown(app))
        lines = shown(app).splitlines()
        first = next(line for line in lines if "1,200" in line)
        assert first.count("the plain class") == 2 and first.count("seed 42") == 2
        assert sum("dog" in line and "photo" not in line for line in lines) == 1
        assert sum("alarm-clock" in line for line in lines) == 1


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (0, 0), (300, 3), (3, 300)])
def test_there_is_a_layout_for_any_size(size: tuple[int, int]) -> None:
    found = layout(*size, 3, 9)
    assert min(found.columns, found.rows, found.width, found.height) >= 1


def test_the_window_moves_no_further_than_the_cursor_needs() -> None:
    assert window(0, 0, 3, 10) == 0
    assert window(3, 0, 3, 10) == 1
    assert window(1, 4, 3, 10) == 1
    assert window(5, 4, 3, 10) == 4
    assert window(9, 4, 3, 10) == 7
    assert window(1, 0, 5, 2) == 0


async def test_a_run_without_previews_says_how_they_come(tmp_path: Path) -> None:
    empty = Run.create(tmp_path / "home", with_changes(RunConfig(), {"model.name": "dog"}), "0")
    app = DbtuiApp(empty.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, empty)
        assert "No previews yet" in shown(app) and "Use it" not in shown(app)
        assert "epochs" not in shown(app), "it may make them by steps"
        for key in ("left", "enter", "space", "c", "m", "e", "y"):
            await pilot.press(key)
        assert isinstance(app.screen, GalleryScreen)


def test_a_concept_is_called_one_where_there_is_room() -> None:
    sample = Sample(step=100, path="a.png", prompt="dog", seed=1, concept="dog-face")
    assert facts_of(sample) == "step 100   seed 1   subject dog-face"
    assert facts_of(sample, 34) == "step 100   seed 1   dog-face"
    assert facts_of(sample, 20) == "step 100   seed 1\ndog-face"


async def test_a_run_that_ended_before_its_first_preview_names_no_key_that_makes_one(tmp_path: Path) -> None:
    failed = Run.create(tmp_path / "home", with_changes(RunConfig(), {"model.name": "dog"}), "0")
    failed.journal_path.write_text(encode(Failed(code="x", message="It failed.", advice="")) + "\n")
    app = DbtuiApp(failed.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, failed)
        assert "it ended before any was made" in shown(app) and "press s" not in shown(app)
