"""Previews of subject and class as one sheet: which belong together, how they are laid out, when they are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from textual.screen import Screen

from core.events import Phase, Sample
from core.runs.history import History
from dbtui.app import DbtuiApp
from dbtui.looks import THEMES
from dbtui.monitor.samples import prompts_of, show_sheet, whole_sheets
from dbtui.monitor.sheets import Sheet, draw_sheet, sheets_of
from dbtui.widgets.picture import Picture
from tests.dbtui.app_driving import shown, until

RED, BLUE, CLEAR = (200, 0, 0, 255), (0, 0, 200, 255), (0, 0, 0, 0)


def sample(step: int, *, of_class: bool = False, number: int = 0, likeness: float | None = None) -> Sample:
    path = f"samples/step-{step:06d}/{number}{'-class' * of_class}.png"
    prompt = "a dog face" if of_class else "a sks dog face"
    return Sample(step=step, path=path, prompt=prompt, seed=number, concept="dog", of_class=of_class, likeness=likeness)


def pairs(step: int, count: int = 1) -> list[Sample]:
    return [sample(step, of_class=of_class, number=number) for number in range(count) for of_class in (False, True)]


def test_what_was_made_together_with_its_class_is_one_sheet_and_all_else_stands_alone() -> None:
    alone = sheets_of([sample(1), sample(1, number=1), sample(2)])
    assert [len(sheet.pictures) for sheet in alone] == [1, 1, 1]
    assert [sheet.path.name for sheet in alone] == ["0.png", "1.png", "0.png"]
    together = sheets_of([*pairs(1, 2), *pairs(2, 2)])
    assert [(len(sheet.subject), len(sheet.plain)) for sheet in together] == [(2, 2), (2, 2)]
    assert [sheet.path.name for sheet in together] == ["step-000001", "step-000002"]


def test_what_was_made_once_more_at_its_step_is_counted_once() -> None:
    again = [replace(one, path=f"{one.path}-again", id="7") for one in pairs(1)]
    assert [sheet.pictures for sheet in sheets_of([*pairs(1), *pairs(2), *again])] == [
        tuple(one.path for one in again), tuple(one.path for one in pairs(2))]  # fmt: skip
    assert len(sheets_of([sample(1), replace(sample(1), id="7"), sample(2)])) == 2


@pytest.mark.parametrize(("count", "columns", "lines", "rows"), [
    (1, 78, 17, 1), (2, 78, 17, 1), (2, 36, 17, 2), (4, 78, 17, 2), (4, 30, 40, 4), (2, 0, 0, 1),
])  # fmt: skip
def test_pictures_are_as_large_as_the_place_allows(count: int, columns: int, lines: int, rows: int) -> None:
    (sheet,) = sheets_of(pairs(1, count))
    assert sheet.rows(columns, lines) == rows


@pytest.mark.parametrize("rows", [1, 2])
def test_the_subject_is_on_the_left_and_the_class_on_the_right(tmp_path: Path, rows: int) -> None:
    (sheet,) = sheets_of(pairs(1, 2))
    for part in (*sheet.subject, *sheet.plain):
        (tmp_path / part.path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), BLUE if part.of_class else RED).save(tmp_path / part.path)
    whole = draw_sheet(sheet, tmp_path, rows)
    width, height = whole.size
    found = whole.getcolors(1 << 20)
    assert found is not None and sorted(count for count, colour in found if colour != CLEAR) == [2 * 64 * 64] * 2
    assert (width > height) == (rows == 1) or abs(width - height) < 20
    assert {whole.getpixel((x, y)) for x in range(width // 2 - 6) for y in range(height)} <= {RED, CLEAR}
    assert {whole.getpixel((x, y)) for x in range(width // 2 + 6, width) for y in range(height)} <= {BLUE, CLEAR}


def test_a_sheet_is_shown_once_it_is_whole() -> None:
    history = History()
    history.add([*pairs(0), Phase(name="training")])
    assert len(whole_sheets(history)) == 1
    history.add([Phase(name="sampling", done=0, total=2), sample(10)])
    assert [sheet.first.step for sheet in whole_sheets(history)] == [0]
    history.add(
        [Phase(name="sampling", done=1, total=2), sample(10, of_class=True), Phase(name="sampling", done=2, total=2)]
    )
    assert [sheet.first.step for sheet in whole_sheets(history)] == [0, 10]


def test_what_was_whole_stays_while_the_next_is_made() -> None:
    history = History()
    history.add([*pairs(0), *pairs(10), Phase(name="sampling", done=0, total=2)])
    assert [sheet.first.step for sheet in whole_sheets(history)] == [0, 10]
    history.add([sample(20), Phase(name="sampling", done=1, total=2)])
    assert [sheet.first.step for sheet in whole_sheets(history)] == [0, 10]


def test_previews_without_the_class_are_shown_as_they_come() -> None:
    history = History()
    history.add(
        [sample(0), Phase(name="sampling", done=0, total=2), sample(10), Phase(name="sampling", done=1, total=2)]
    )
    assert [sheet.first.step for sheet in whole_sheets(history)] == [0, 10]


@pytest.mark.parametrize(("width", "lines"), [(60, 40), (90, 20)])
def test_each_prompt_stands_under_the_middle_of_its_half_with_what_was_seen_in_it(width: int, lines: int) -> None:
    sheet = Sheet((sample(1, likeness=0.9), sample(1, likeness=1.0)), (sample(1, of_class=True, likeness=0.03),))
    first, second = prompts_of(sheet, width, lines).plain.splitlines()
    middle = first.index("│")
    assert middle == second.index("│") and abs(middle - width // 2) <= 1
    told = "recognised as the new one: {}" if width == 90 else "{} the new one"
    assert [words.strip() for words in second.split("│")] == [told.format("95%"), told.format("3%")]
    left, right = first.split("│")
    half = sheet.half_width(width, lines)
    for words, start in ((left, middle - 1 - half), (right, 1)):
        centre = words.index(words.strip()) + len(words.strip()) / 2
        assert abs(centre - (start + half / 2)) <= 1.5


def test_two_shares_side_by_side_are_told_in_the_same_words() -> None:
    for width in range(60, 72):
        sheet = Sheet((sample(1, likeness=1.0),), (sample(1, of_class=True, likeness=0.0),))
        left, right = (words.strip() for words in prompts_of(sheet, width, 40).plain.splitlines()[1].split("│"))
        assert left.replace("100%", "0%") == right, width


def test_a_prompt_is_told_whole_where_there_is_little_room() -> None:
    sheet = Sheet((sample(1),), (sample(1, of_class=True),))
    assert prompts_of(sheet, 20, 20).plain == "left: a sks dog face\nright: a dog face"
    assert prompts_of(Sheet((sample(1),)), 60, 20).plain == "a sks dog face"


@pytest.mark.parametrize("looks", THEMES)
async def test_between_the_halves_stands_the_ground_whatever_colour_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: str
) -> None:
    monkeypatch.setenv("DBTUI_GRAPHICS", "halfcell")
    (sheet,) = sheets_of(pairs(1))
    for part in (*sheet.subject, *sheet.plain):
        (tmp_path / part.path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), BLUE if part.of_class else RED).save(tmp_path / part.path)
    app = DbtuiApp(tmp_path, looks=looks)
    async with app.run_test(size=(60, 16)) as pilot:
        picture = Picture()
        await app.push_screen(Screen())
        await app.screen.mount(picture)
        await pilot.pause()
        show_sheet(picture, sheet, tmp_path)
        await until(pilot, lambda: "▀▀" in shown(app))
        cells = [segment for strip in app.screen._compositor.render_strips()[2:-2] for segment in strip]
        grounds = {segment.style.bgcolor for segment in cells if segment.style is not None and not segment.text.strip()}
        assert len(grounds) == 1
        colours = {segment.style.bgcolor for segment in cells if segment.style is not None} - grounds
        triplets = {tuple(colour.triplet) for colour in colours if colour is not None and colour.triplet is not None}
        assert {RED[:3], BLUE[:3]} <= triplets
        assert not any(min(triplet) > 60 for triplet in triplets)
