"""Another run's loss behind this one's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Failed
from core.runs.folder import Run
from dbtui.app import DbtuiApp
from dbtui.monitor.loss import LossPane
from dbtui.monitor.overlay import Overlay, overlay_question
from dbtui.widgets.question import Question
from tests.dbtui import synthetic
from tests.dbtui.after.ended import (
    DONE,
    NARROW,
    SIZES,
    both,
    journal_of,
    opened,
)
from tests.dbtui.app_driving import shown, until
from tests.dbtui.monitor.bench import settle
from tests.dbtui.synthetic import NOON


@SIZES
def test_snapshot_of_two_runs(snap_compare: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    ours, _ = both(tmp_path / "home")

    async def before(pilot: Pilot[int]) -> None:
        monitor = await opened(pilot.app, pilot, ours)  # type: ignore[arg-type]
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("enter")
        await until(pilot, lambda: monitor.query_one(LossPane).overlay is not None)
        await settle(pilot)

    assert snap_compare(DbtuiApp(ours.home), terminal_size=size, run_before=before)


async def test_o_lays_a_run_behind_this_one_follows_it_and_takes_it_away_again(tmp_path: Path) -> None:
    ours, other = both(tmp_path / "home")
    failed = Run.create(ours.home, with_changes(RunConfig(), {"model.name": "failed-at-once"}), "0")
    journal_of(failed).say(Failed(code="pictures.missing", message="The folder does not exist."))
    app = DbtuiApp(ours.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, ours)
        await pilot.press("3", "o")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "face-with-a-long-name" in shown(app) and "never-trained" not in shown(app)
        assert "failed-at-once" not in shown(app)
        await pilot.press("1")
        loss = monitor.query_one(LossPane)
        await until(pilot, lambda: loss.overlay is not None)
        await settle(pilot)
        rows = [row.strip() for row in shown(app).splitlines()]
        assert any(row.startswith("clock (this run):") for row in rows)
        assert any(row.startswith("face-with-a-long-name (behind):  ◆ validation  ━ average") for row in rows)
        plot, own = loss._made, monitor.history.step
        assert plot is not None and plot._x_max == own < 300, "what is watched is not squeezed by what lies behind it"
        await pilot.press("+")
        assert plot._x_max == own
        await pilot.press(*"------------")
        await settle(pilot)
        assert plot._x_max >= 400
        await pilot.press("0")
        await settle(pilot)
        assert plot._x_max == own
        journal_of(other).say(*synthetic.steps(401, 500))
        await monitor.look()
        assert loss.behind() == ("face-with-a-long-name", 500)
        await settle(pilot)
        assert plot._x_max == own
        await pilot.press(*"------------")
        assert plot._x_max >= 500
        await pilot.press("0")
        await pilot.press("o")
        await settle(pilot)
        assert loss.overlay is None and "face-with" not in shown(app) and plot._x_max == own


def test_each_of_many_runs_has_a_key_of_its_own_as_long_as_there_are_any(run: Run) -> None:
    question = overlay_question(run, [Run(run.home, f"run-{number}") for number in range(40)])
    keys = [answer.key for answer in question.answers]
    assert keys[8:11] == ["9", "a", "b"] and keys[-1] == ""
    used = [key for key in keys if key]
    assert len(used) == len(set(used)) == 35 and all(key.isalnum() for key in used)


async def test_another_language_tells_no_end_again_and_keeps_the_other_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = both(tmp_path / "home")
    journal_of(ours).say(DONE)
    app = DbtuiApp(ours.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, ours)
        overlay = Overlay(other)
        overlay.read()
        monitor.query_one(LossPane).overlay = overlay
        told: list[str] = []
        monkeypatch.setattr(app, "announce", lambda name, event: told.append(event.kind))
        await monitor.in_other_words()
        assert not told and monitor.query_one(LossPane).overlay is overlay
        assert monitor.history.state == "done"
        journal_of(ours).say(replace(DONE, time=NOON + 99))
        await monitor.in_other_words()
        assert told == ["done"], "what has just happened is news"


async def test_without_another_run_o_says_so(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20))
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("o")
        await until(pilot, lambda: app._notifications)
        assert "no other run" in next(iter(app._notifications)).message
