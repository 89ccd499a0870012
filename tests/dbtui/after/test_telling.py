"""The end of a run is told: in the terminal, on the screen, once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from core import events
from core.events import Failed, Paused, Stopped
from core.runs.folder import Run
from core.settings import settings_path
from dbtui.announcing import signal_of
from dbtui.app import DbtuiApp
from dbtui.home.screen import HomeScreen
from tests.dbtui import synthetic
from tests.dbtui.after.ended import (
    DONE,
    NARROW,
    journal_of,
    opened,
)
from tests.dbtui.app_driving import shown, until
from tests.dbtui.monitor.bench import settle
from tests.dbtui.synthetic import NOON


@pytest.mark.parametrize(
    ("event", "term", "sent"),
    [
        (DONE, "xterm-256color", "\x1b]9;dbtui: clock is done: 600 steps.\x1b\\\a"),
        (DONE, "linux", "\a"),
        (DONE, "dumb", "\a"),
        (DONE, "", ""),
        (Failed(code="x", message="a;b\x1b[2J\x07\nc"), "xterm", None),
        (Stopped(step=3, saved=True), "xterm", ""),
        (Stopped(step=3, saved=True, reason="background"), "xterm", ""),
    ],
)
def test_the_terminal_rings_and_passes_on_a_notice(event: events.Event, term: str, sent: str | None) -> None:
    told = signal_of("clock", event, {"TERM": term})
    if sent is not None:
        assert told == sent
    else:
        inside = told.removeprefix("\x1b]9;").removesuffix("\x1b\\\a")
        assert "clock failed" in inside and not set(inside) & set(";\x1b\x07\n")


def test_silenced_nothing_is_sent() -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("[notify]\nsilent = true\n")
    assert signal_of("clock", DONE, {"TERM": "xterm"}) == ""


async def test_the_end_of_a_run_that_is_watched_is_told_once_and_one_of_the_past_not(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    lock = ExitStack()
    lock.enter_context(synthetic.held(run))
    journal_of(run).say(synthetic.started(), Failed(code="x", message="Long ago.", time=NOON - 9),
                        synthetic.started(), *synthetic.steps(1, 20))  # fmt: skip
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, run)
        sent: list[str] = []
        monkeypatch.setattr(app._driver, "write", sent.append)
        journal_of(run).say(DONE)
        lock.close()
        await monitor.look()
        await monitor.look()
        app._trained("clock", DONE)
        await settle(pilot)
        rung = [text for text in sent if "\x1b]9;" in text]
        assert len(rung) == 1 and "clock is done" in rung[0]
        assert not app._notifications


async def test_on_another_screen_the_end_is_shown_there(run: Run) -> None:
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        app._trained("clock", synthetic.step(1))
        app._trained("clock", DONE)
        await until(pilot, lambda: app._notifications)
        assert [notice.message for notice in app._notifications] == ["clock is done: 600 steps."]


async def test_a_pause_says_since_when(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), Paused(step=20, time=NOON))
    app = DbtuiApp(run.home)
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await opened(app, pilot, run)
            assert "‖ paused  since 11-14 22:13" in shown(app)
