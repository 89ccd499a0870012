"""Every question is answered in the same ways, and no key is swallowed without a word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dbtui.app import DbtuiApp
from dbtui.widgets.question import Answer, Question, key_of
from tests.dbtui.app_driving import at_rest, press, shown, until

LETTERS = (Answer("keep", "k", "Keep"), Answer("delete", "x", "Delete"), Answer("wait", "w", "Wait"))
NUMBERS = tuple(Answer(f"card {number}", key_of(number), f"Card {number}") for number in range(1, 12))
MIXED = (Answer("fix", "1", "Half the rate"), Answer("resume", "r", "Try again"), Answer("log", "l", "The log"))


@pytest.mark.parametrize(
    ("answers", "keys", "chosen"),
    [(LETTERS, ("k",), "keep"), (LETTERS, ("X",), "delete"), (LETTERS, ("1",), "keep"), (LETTERS, ("3",), "wait"),
     (LETTERS, ("down", "enter"), "delete"), (LETTERS, ("up", "enter"), "wait"), (LETTERS, ("escape",), None),
     (NUMBERS, ("9",), "card 9"), (NUMBERS, ("b",), "card 11"), (MIXED, ("2",), "resume"), (MIXED, ("1",), "fix"),
     (LETTERS, ("4", "q", "x"), "delete")],
)  # fmt: skip
async def test_an_answer_is_chosen_by_its_key_its_number_or_the_arrows(
    tmp_path: Path, answers: Sequence[Answer], keys: tuple[str, ...], chosen: str | None
) -> None:
    app, got = DbtuiApp(tmp_path), list[str | None]()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(Question("Which?", "", answers), got.append)
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press(*keys)
        await until(pilot, lambda: got == [chosen])


@pytest.mark.parametrize("wrong", ["q", "4", "space", "é"])
async def test_a_key_that_is_no_answer_rings_and_is_told_which_ones_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    rung: list[bool] = []
    monkeypatch.setattr(DbtuiApp, "bell", lambda self: rung.append(True))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(question := Question("Which?", "", LETTERS))
        await until(pilot, lambda: "the key in front" in shown(app) and "number" not in shown(app))
        await pilot.press(wrong)
        await until(pilot, lambda: "Press one of: k, x, w" in shown(app))
        assert app.screen is question and rung == [True]


@pytest.mark.parametrize(("width", "wide"), [(80, 80), (120, 76)])
async def test_a_dialog_nearly_as_wide_as_the_screen_takes_all_of_its_width(
    tmp_path: Path, width: int, wide: int
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(width, 24)) as pilot:
        app.push_screen(Question("Which?", "", LETTERS))
        await until(pilot, lambda: isinstance(app.screen, Question))
        await until(pilot, lambda: app.screen.query_one("#dialog").region.width == wide)


@pytest.mark.parametrize("keys", [("enter", "enter"), ("k", "k"), ("enter", "escape")])
async def test_who_answers_twice_in_one_moment_has_answered_once_and_closes_nothing_else(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    app, got = DbtuiApp(tmp_path), list[str | None]()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.screen_stack) == 1)
        below = Question("Below?", "", LETTERS)
        app.push_screen(below)
        app.push_screen(Question("Which?", "", LETTERS), got.append)
        await until(pilot, lambda: isinstance(app.screen, Question) and "Which?" in shown(app))
        await until(pilot, lambda: app.focused is not None)
        for _ in range(10):
            await pilot.pause()
        press(app, *keys)
        await until(pilot, lambda: got)
        for _ in range(10):
            await pilot.pause()
        assert len(got) == 1 and app.screen is below


ENDINGS = (
    Answer("save", "s", "Save and stop", "can be resumed from here"),
    Answer("discard", "w", "Stop without saving", "the state of step 57 stays, what came after is lost"),
    Answer("go-on", "g", "Go on training"),
)
LONG = "One of many sentences that say what is to be known before an answer is chosen. " * 7


@pytest.mark.parametrize(
    ("sizes", "text", "answers", "last"),
    [(((80, 24),), "", ENDINGS, "Go on training"), (((120, 36), (80, 24)), "", ENDINGS, "Go on training"),
     (((80, 24),), "", tuple(Answer(str(n), "", f"Run {n}") for n in range(18)), "Run 17"),
     (((120, 36),), LONG, tuple(Answer(str(n), "", f"Run {n}") for n in range(18)), "Run 17"),
     (((120, 20), (80, 30), (80, 24)), LONG, tuple(Answer(str(n), "", f"Run {n}") for n in range(9)), "Run 8")],
    ids=["wraps", "smaller", "many", "many and long", "smaller and long"])  # fmt: skip
async def test_all_answers_are_seen_wherever_the_screen_has_room_for_them(
    tmp_path: Path, sizes: Sequence[tuple[int, int]], text: str, answers: Sequence[Answer], last: str
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=sizes[0]) as pilot:
        app.push_screen(Question("Which one?", text, answers))
        await until(pilot, lambda: isinstance(app.screen, Question))
        for size in sizes[1:]:
            await pilot.resize_terminal(*size)
        await at_rest(pilot)
        assert last in shown(app)
        assert app.screen.query_one("#answers").max_scroll_y == 0
        assert all(line.rstrip() in shown(app) for line in ("Which one?", text[-8:], "Esc closes"))


@pytest.mark.parametrize("size", [(80, 24), (60, 14)])
async def test_a_question_longer_than_the_screen_keeps_its_keys_and_some_answers_in_sight(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        answers = [Answer(str(n), "", f"Run {n}") for n in range(20)]
        app.push_screen(Question("Which one?", LONG * 2, answers))
        await until(pilot, lambda: isinstance(app.screen, Question))
        await at_rest(pilot)
        assert all(part in shown(app) for part in ("Which one?", "One of many", "Run 2", "Esc closes"))
        await pilot.press("end")
        await until(pilot, lambda: "Run 19" in shown(app))


@pytest.mark.parametrize("looks", ["dark", "light"])
async def test_without_colours_the_highlighted_answer_is_underlined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = DbtuiApp(tmp_path, looks=looks)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(Question("Which?", "", LETTERS))
        await until(pilot, lambda: isinstance(app.screen, Question) and "Delete" in shown(app))
        await at_rest(pilot)
        strips = app.screen._compositor.render_strips()
        lined = ["".join(part.text for part in strip if part.style and part.style.underline) for strip in strips]
        assert [line.split()[-1] for line in lined if line.strip()] == ["Keep"]
