"""How home looks, at each size: full, with long and hostile names, empty, and its questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.runs.history import Summary
from core.runs.lock import Owner
from core.runs.overview import Listed, Overview
from core.runs.queue import Queue, Waiting
from core.settings import remembered
from core.texts import message
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft
from dbtui.home.screen import HomeScreen
from dbtui.looks import SETTING, THEMES, possible, theme_of
from dbtui.widgets.question import Question
from tests.dbtui.app_driving import HOSTILE, shown, until

HOME = Path("/home/ann/dbtui")
SIZES = [(80, 24), (120, 36), (160, 50)]
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
Compare = Callable[..., bool]


def summary(
    name: str, state: str, step: int, total: int, age: float, *, loss: float | None = 0.1234, pid: int = 0,
    left: float | None = None, silence: float | None = None, folder: str = "",
) -> Summary:  # fmt: skip
    moment = time.time() - age - 5 if age else time.time()
    return Summary(name, state, step, total, loss, 1.53 if pid else None, pid, folder or f"{HOME}/runs/{name}", moment,
                   silence, left, 6, saved=step)  # fmt: skip


def runs() -> list[Listed]:
    return [
        Listed("alarm-clock", summary("alarm-clock", "training", 412, 1200, 0, pid=4711, left=14 * MINUTE),
               bytes=3_210_000_000),
        Listed("watercolour-style", summary("watercolour-style", "paused", 5200, 12_000, 0, pid=4712),
               bytes=14_100_000_000),
        Listed("grandmas-teapot", summary("grandmas-teapot", "new", 0, 0, 0, loss=None), place=1, bytes=5_100),
        Listed("dog-second-try-with-more-pictures", summary("dog", "stopped", 300, 800, 2 * HOUR), place=2,
               bytes=6_400_000_000),
        Listed("me", summary("me", "done", 100_000, 100_000, 3 * DAY), bytes=9_800_000_000),
        Listed("cat", summary("cat", "failed", 17, 800, 9 * HOUR, loss=None), bytes=2_300_000_000),
        Listed("bicycle", summary("bicycle", "lost", 640, 800, 40 * DAY), bytes=None),
        Listed("odd", None, message("file.odd", "{path} cannot be read: it is a folder.", path="journal.jsonl")),
        Listed("a" * 64, summary("a" * 64, "done", 800, 800, 12 * MINUTE), bytes=123_456_789_000),
    ]  # fmt: skip


def drafts() -> list[Draft]:
    moment = time.time() - 25 * MINUTE
    hostile = [Draft(f"20250101-12000{number}-aaaa", step="concepts", texts={"model.name": name}, changed=moment)
               for number, name in enumerate(HOSTILE)]  # fmt: skip
    return [Draft("20250101-120009-aaaa", "face", "parameters", 1, {"model.name": "我的闹钟"}, moment), *hostile]


def queue(*, worker: bool = True) -> Queue:
    entries = (Waiting(3, "alarm-clock", 0.0, begun=1.0), Waiting(4, "grandmas-teapot", 0.0, seconds=None),
               Waiting(5, "dog-second-try-with-more-pictures", 0.0, seconds=2 * HOUR))  # fmt: skip
    return Queue(entries if worker else entries[1:], Owner(4710, "", 0.0, 0.0, True) if worker else None)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Overview, "read", lambda self: (runs(), queue()))
    monkeypatch.setattr(Overview, "measure", lambda self: False)
    monkeypatch.setattr("dbtui.drafts.list_drafts", lambda home: drafts())


def pressed(*keys: str, at: str = "") -> Callable[[Pilot[int]], object]:
    """Until the list stands; then the cursor on the run `at`, and the keys."""

    async def before(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, DbtuiApp)
        await until(pilot, lambda: "waits, no. 1" in shown(app) or "Welcome" in shown(app))
        screen = app.screen
        assert isinstance(screen, HomeScreen)
        screen._timer.pause()
        for _ in range(20):
            if not at or (screen.selected is not None and screen.selected.name == at):
                break
            await pilot.press("down")
        await pilot.press(*keys)
        await pilot.pause()
        if keys:
            await until(pilot, lambda: app.screen is not screen)

    return before


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_snapshot_of_many_runs(snap_compare: Compare, full: None, size: tuple[int, int]) -> None:
    assert snap_compare(DbtuiApp(HOME), terminal_size=size, run_before=pressed())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_snapshot_of_a_finished_run(snap_compare: Compare, full: None, size: tuple[int, int]) -> None:
    assert snap_compare(DbtuiApp(HOME), terminal_size=size, run_before=pressed(at="me"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_snapshot_of_the_welcome(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(DbtuiApp(Path("/nonexistent/dbtui")), terminal_size=size, run_before=pressed())


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: "x".join(map(str, size)))
def test_snapshot_of_the_queue(snap_compare: Compare, full: None, size: tuple[int, int]) -> None:
    at = "dog-second-try-with-more-pictures"
    assert snap_compare(DbtuiApp(HOME), terminal_size=size, run_before=pressed("w", at=at))


@pytest.mark.parametrize("looks", [name for name in THEMES if name != "dark"])
def test_snapshot_of_looks(snap_compare: Compare, full: None, looks: str) -> None:
    assert snap_compare(DbtuiApp(HOME, looks=looks), terminal_size=(80, 24), run_before=pressed())


def test_snapshot_without_colours(snap_compare: Compare, full: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(DbtuiApp(HOME, looks="terminal-dark"), terminal_size=(80, 24), run_before=pressed())


async def test_looks_are_chosen_on_a_key_and_remembered(
    full: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    app = DbtuiApp(HOME, looks="no such looks")
    assert app.theme == "calm"
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "waits, no. 1" in shown(app))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("2")
        await until(pilot, lambda: remembered(SETTING) == "light")
        assert app.theme == "calm-light"
        assert not app.current_theme.dark


def test_without_colours_the_terminals_own_are_not_offered() -> None:
    assert possible(no_color=True) == ("dark", "light")
    assert theme_of("terminal-light", no_color=True) == "calm"
    assert theme_of("terminal-light", no_color=False) == "calm-terminal-light"


async def test_no_name_reaches_the_terminal_as_an_order(full: None) -> None:
    app = DbtuiApp(HOME)
    async with app.run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "waits, no. 1" in shown(app))
        text = shown(app)
        for order in ("\x1b", "\x9b", "\u202e", "\x07"):
            assert order not in text
        assert "[@click=app.quit]x[/]" in text and "x[/]" in text
        screen = app.screen
        assert isinstance(screen, HomeScreen)
        for _ in screen.entries:  # each of them selected, and asked whether it is to go
            await pilot.press("down")
            assert not any(order in shown(app) for order in ("\x1b", "\x9b", "\u202e", "\x07"))


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 240])
async def test_every_line_is_as_wide_as_its_titles(full: None, width: int) -> None:
    from textual.content import Content

    from dbtui.home.rows import Entry, heads, line

    entries = [Entry(run.name, run.summary, place=run.place, bytes=run.bytes) for run in runs()]
    entries += [Entry(draft.title, draft=draft) for draft in drafts()]
    widths = {line(entry, width).cell_length for entry in entries}
    assert widths == {Content(heads(width)).cell_length}
    if 80 <= width <= 160:
        assert widths == {width}


async def test_the_queue_says_when_it_ends_only_where_that_is_known(full: None) -> None:
    from dbtui.home.rows import Entry
    from dbtui.home.waiting import queue_line

    known = Queue((queue().entries[0], queue().entries[2]), queue().worker)
    entries = [Entry(run.name, run.summary) for run in runs()]
    assert "all done about" in queue_line(known, entries)
    assert "all done about" not in queue_line(queue(), entries)
    assert "w starts the queue" in queue_line(queue(worker=False), entries)
    assert queue_line(Queue((), None), entries) == ""


async def test_only_the_line_of_the_queue_says_who_starts_it(full: None) -> None:
    from dbtui.home.rows import Entry, describe

    waits = [describe(Entry(run.name, run.summary, place=run.place)) for run in runs() if run.place]
    assert any("Waits its turn" in said for said in waits)
    assert not any("starts the queue" in said for said in waits)


async def test_the_first_letter_of_each_answer_is_its_own(full: None) -> None:
    from dbtui.home.rows import Entry
    from dbtui.home.waiting import queue_question

    for selected in (None, *(Entry(run.name, run.summary, place=run.place) for run in runs())):
        for waits in (queue(), queue(worker=False), Queue((), None)):
            question: Question = queue_question(waits, selected)
            keys = [answer.key for answer in question.answers]
            assert len(keys) == len(set(keys))
