"""Further lines of what has a key, a mark or a number in front stand below its words, in every language."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.content import Content
from textual.css.styles import RulesMap

from dbtui.app import DbtuiApp
from dbtui.widgets.guidance import Guidance
from dbtui.widgets.hanging import Hanging, Hung
from dbtui.widgets.question import Answer, Question
from dbtui.widths import both_ends, break_lines_between_characters
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, shown, until

RULES = RulesMap()


@pytest.mark.parametrize("text", ["A word and another. " * 6, "一步一步地学习，每一步都看一张图片。" * 4])
def test_what_goes_on_stands_below_the_words_and_nothing_is_lost(text: str) -> None:
    hanging = Hanging((Hung(Content("  F2  "), Content(text)),))
    first, *further = hanging.content(40).plain.split("\n")
    assert first.startswith("  F2  ") and further and all(line.startswith(" " * 6) for line in further)
    assert all(cell_len(line) <= 40 for line in (first, *further))
    assert "".join((first[6:], *further)).replace(" ", "") == text.replace(" ", "")
    assert hanging.get_height(RULES, 40) == 1 + len(further)


@pytest.mark.parametrize("text", ["A word and another.", "一步一步地学习。"])
def test_where_there_is_no_room_at_all_it_still_has_a_height(text: str) -> None:
    """As for one layout while a terminal is made narrow."""
    break_lines_between_characters()
    assert Hanging((Hung(Content("1 "), Content(text)),)).get_height(RULES, 0) > 0


def test_where_there_is_no_room_beside_the_head_the_text_has_the_whole_width() -> None:
    hanging = Hanging((Hung(Content("a very long head  "), Content("and a text")),))
    assert "\n" not in hanging.content(24).plain


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_keys_in_the_help_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoken: str, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await open_wizard(pilot, "concepts", dict(FILLED))
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Guidance))
        assert isinstance(app.screen, Guidance)
        width = app.screen.query("#dialog-text Static").last().content_size.width
        keys = app.screen.keys.content(width).plain.split("\n")[2:]
        heads = [line.head.plain for line in app.screen.keys.lines[2:]]
        assert all(line.startswith((" " * 10, *heads)) for line in keys)
        assert spoken != "en" or size[0] > 80 or len(keys) > len(heads)


def test_what_is_whole_stands_below_its_head_sooner_than_in_two_pieces() -> None:
    line = Hung(Content("配置项："), Content("concepts.0.instance.directory"), whole=True)
    assert line.content(37).plain == "配置项：concepts.0.instance.directory"
    assert line.content(36).plain == "配置项：\nconcepts.0.instance.directory"
    assert "\n        " in line.content(28).plain


async def test_an_answer_that_is_long_hangs(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(Question("Which?", "", [Answer("a", "a", "quux " * 20, "quuux " * 10)]))
        await until(pilot, lambda: "quuux" in shown(app))
        await at_rest(pilot)
        places = {line.index("qu") for line in shown(app).split("\n") if "quu" in line}
        assert len(places) == 1


@pytest.mark.parametrize(
    ("text", "width", "told"),
    [("clock.png", 9, "clock.png"), ("a-long-clock-17.png", 11, "a-lon…7.png"), ("钟钟钟钟钟17.png", 11, "钟钟…7.png"),
     ("clock", 1, "…")],
)  # fmt: skip
def test_a_name_is_cut_in_its_middle(text: str, width: int, told: str) -> None:
    assert both_ends(text, width) == told
