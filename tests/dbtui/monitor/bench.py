"""A small app around the monitor, and what its tests look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from textual.app import App
from textual.pilot import Pilot

import dbtui.app
from core.machine import Reading
from dbtui.looks import CALM
from dbtui.monitor.screen import MonitorScreen
from tests.dbtui.synthetic import SyntheticRun

NARROW, WIDE, VAST = (80, 24), (120, 36), (160, 50)


class SteadyGauge:
    def read(self) -> Reading:
        return Reading(97.0, 10.2e9, 24e9, 71.0, 310.0, 34.0, 11e9, 32e9)


class SteadyHandle:
    """A training thread that ends when it is asked to."""

    def __init__(self) -> None:
        self.running = True
        self.paused = False
        self.step: int | None = None
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.ending: Any = None

    def request(self, command: str, **fields: Any) -> str:
        self.requests.append((command, fields))
        self.running = False
        self.ending = SimpleNamespace(kind="stopped", exit_code=3)
        return "id"


class Bench(App[int]):
    CSS_PATH = Path(dbtui.app.__file__).with_name("app.tcss")
    VERTICAL_BREAKPOINTS = dbtui.app.DbtuiApp.VERTICAL_BREAKPOINTS
    is_training = False
    is_exporting = False
    last_words = ""

    def announce(self, name: str, event: Any) -> None:
        self.announced = [*getattr(self, "announced", []), event.kind]

    def __init__(self, run: SyntheticRun, handle: Any = None, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.register_theme(CALM)
        self.theme = "calm"
        self.monitor = MonitorScreen(run, handle, gauge=SteadyGauge(), environment=environment or {})  # type: ignore[arg-type]

    def on_mount(self) -> None:
        self.push_screen(self.monitor)


async def settle(pilot: Pilot[int]) -> None:
    """Until nothing is waited for: no message, no picture that a thread makes."""
    await pilot.pause()
    for _ in range(500):
        await pilot.pause(0.02)
        # An open question is a worker too, and ends with its answer: only threads are waited for.
        if not any(worker._thread_worker and not worker.is_finished for worker in pilot.app.workers):
            break
    await pilot.pause()


async def look(app: Bench, pilot: Pilot[int]) -> None:
    await app.monitor.look()
    await settle(pilot)


def screen_text(app: App[Any]) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def notices(app: App[Any]) -> str:
    return "\n".join(notice.message for notice in app._notifications)


def commands(run: SyntheticRun) -> list[dict[str, Any]]:
    if not run.commands_path.exists():
        return []
    return [json.loads(line) for line in run.commands_path.read_text().splitlines()]
