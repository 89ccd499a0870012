"""Runs that have ended, and a monitor opened on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Done, Failed
from core.runs.folder import Run
from dbtui.app import DbtuiApp
from dbtui.monitor.screen import MonitorScreen
from tests.dbtui import synthetic
from tests.dbtui.app_driving import until
from tests.dbtui.monitor.bench import SteadyGauge, settle
from tests.dbtui.synthetic import NOON, SyntheticRun

NARROW, WIDE, VAST = (80, 24), (120, 36), (160, 50)
SIZES = pytest.mark.parametrize("size", [NARROW, WIDE, VAST], ids=["80x24", "120x36", "160x50"])
OUT_OF_MEMORY = Failed(code="memory.out", message="There was not enough memory to train.",
                       advice="What helps, the strongest first: batch.size = 1 with a larger batch.accumulation; a "
                       "smaller model.resolution. Close other programs that use the memory.", step=260,
                       time=NOON + 600)  # fmt: skip
SUBJECT = {"concepts.0.instance.identifier": "sks", "concepts.0.instance.class_noun": "alarm clock"}


def journal_of(run: Run) -> SyntheticRun:
    """Says events in the journal of a real run."""
    said = SyntheticRun.__new__(SyntheticRun)
    said.path, said.samples, said.journal_path = run.path, run.samples, run.journal_path
    return said


def make(home: Path, name: str, **changes: Any) -> Run:
    options = {path.replace("__", "."): value for path, value in changes.items()}
    return Run.create(home, with_changes(RunConfig(), {"model.name": name, **SUBJECT, **options}), "0")


async def opened(app: DbtuiApp, pilot: Pilot[int], run: Run) -> MonitorScreen:
    monitor = MonitorScreen(run, None, gauge=SteadyGauge())  # type: ignore[arg-type]
    app.push_screen(monitor)
    await until(pilot, lambda: app.screen is monitor and monitor._knows_the_past)
    await settle(pilot)
    return monitor


DONE = Done(step=600, seconds=9, time=NOON)


def both(home: Path) -> tuple[Run, Run]:
    ours, other = make(home, "clock"), make(home, "face-with-a-long-name")
    journal_of(ours).say(synthetic.started(), *synthetic.steps(1, 260))
    journal_of(other).say(synthetic.started(), *synthetic.steps(1, 400, prior=False), DONE)
    make(home, "never-trained")
    return ours, other
