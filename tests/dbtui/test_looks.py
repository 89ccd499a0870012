"""Every screen but home (see `test_home_looks`) in light colours and without any."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.languages import VARIABLE
from core.runs.folder import Run
from dbtui.app import DbtuiApp
from dbtui.monitor.screen import MonitorScreen
from dbtui.widgets.guidance import Guidance
from dbtui.wizard.steps import STEPS
from tests.dbtui import synthetic
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, shown, until
from tests.dbtui.monitor.bench import SteadyGauge
from tests.dbtui.synthetic import SyntheticRun
from tests.dbtui.test_gallery import opened
from tests.dbtui.test_gallery import run as gallery_run  # noqa: F401 - a fixture

NARROW = (80, 24)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DBTUI_GRAPHICS", "halfcell")
    monkeypatch.setenv(VARIABLE, "en")
    monkeypatch.delenv("TERM", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(params=["light", "no-colour"])
def looks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    return str(request.param)


@pytest.mark.parametrize("step", STEPS)
def test_wizard(snap_compare: Callable[..., bool], tmp_path: Path, looks: str, step: str) -> None:
    async def prepare(pilot: Any) -> None:
        screen = await open_wizard(pilot, step, dict(FILLED), "face")
        await until(pilot, lambda: screen.focused is not None)
        await until(pilot, lambda: step != "review" or "Memory" in shown(pilot.app))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path, looks=looks), run_before=prepare, terminal_size=NARROW)


def test_help(snap_compare: Callable[..., bool], tmp_path: Path, looks: str) -> None:
    async def prepare(pilot: Any) -> None:
        await open_wizard(pilot, "concepts", dict(FILLED), "face")
        await at_rest(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(pilot.app.screen, Guidance))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path, looks=looks), run_before=prepare, terminal_size=NARROW)


@pytest.mark.parametrize("size", [(120, 36), (160, 50)], ids=lambda size: "x".join(map(str, size)))
def test_help_where_there_is_room(snap_compare: Callable[..., bool], tmp_path: Path, size: tuple[int, int]) -> None:
    async def prepare(pilot: Any) -> None:
        await open_wizard(pilot, "concepts", dict(FILLED), "face")
        await at_rest(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(pilot.app.screen, Guidance))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path, looks="dark"), run_before=prepare, terminal_size=size)


def test_monitor(snap_compare: Callable[..., bool], tmp_path: Path, looks: str) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.done(run)

    async def prepare(pilot: Any) -> None:
        pilot.app.push_screen(MonitorScreen(run, gauge=SteadyGauge(), environment={}))  # type: ignore[arg-type]
        await until(pilot, lambda: "600/600" in shown(pilot.app))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path, looks=looks), run_before=prepare, terminal_size=NARROW)


def test_gallery(snap_compare: Callable[..., bool], looks: str, gallery_run: Run) -> None:  # noqa: F811
    async def prepare(pilot: Any) -> None:
        await opened(pilot.app, pilot, gallery_run)
        await pilot.press("left", "space")
        await until(pilot, lambda: "▀" in shown(pilot.app))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(gallery_run.home, looks=looks), run_before=prepare, terminal_size=NARROW)
