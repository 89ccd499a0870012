"""`python -m tests.whole.screens FOLDER`: the whole way through the app, screen by screen, as SVG files.

Nothing on them is made up: one app is driven from its first frame to an exported model, and each screen is taken at
both sizes. What is trained is the small model that comes with the program, with its own six pictures.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from core.demo.source import SUBJECT
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft
from dbtui.gallery.screen import GalleryScreen
from dbtui.home.screen import HomeScreen
from dbtui.monitor.samples import SamplesPane
from dbtui.monitor.screen import MonitorScreen
from dbtui.monitor.using import UsingScreen
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.flow import start
from tests.whole.drawings import slim

SIZES = ((80, 24), (120, 36))
WALK = (
    "home", "model", "concepts", "parameters", "review", "training", "paused", "done", "gallery", "export", "runs",
    "chinese",
)  # fmt: skip
"""The screens, in order."""
TYPED = {
    "model.name": "rex",
    "model.source": "demo",
    "concepts.0.instance.directory": "~/pictures/rex",
    "concepts.0.instance.identifier": "sks",
    "concepts.0.instance.class_noun": "dog face",
    "intervals.epochs": "100",
    "intervals.save_every_epochs": "25",
}
PRESET = "face"
SURROUNDINGS = {"DBTUI_LANGUAGE": "en", "DBTUI_GRAPHICS": "halfcell", "TZ": "UTC"}
NOT_OURS = ("DBTUI_HOME", "SSH_CONNECTION", "NO_COLOR", "COLORTERM", "TERM")
PATIENCE_SECONDS = 900.0
MOST_BYTES = 300_000


def file_name(screen: str, size: tuple[int, int]) -> str:
    """`03-concepts-80x24.svg`."""
    return f"{WALK.index(screen) + 1:02d}-{screen}-{size[0]}x{size[1]}.svg"


async def walk(home: Path, take: Callable[[str, tuple[int, int], str], None]) -> None:
    """Go the whole way in a fresh `home`; every screen is given to `take` at both sizes."""
    app = DbtuiApp(home)
    async with app.run_test(size=SIZES[0]) as pilot:

        async def shoot(screen: str) -> None:
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await _settle(pilot)
                app.clear_notifications()
                await _settle(pilot)
                take(screen, size, app.export_screenshot(title="dbtui"))
            await pilot.resize_terminal(*SIZES[0])
            await pilot.pause()

        await _until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await shoot("home")
        start(app, home, Draft("20250101-120000-abcd", PRESET, "model", 1, TYPED))
        for step in ("model", "concepts", "parameters", "review"):
            screen = app.screen
            if isinstance(screen, WizardScreen):
                await screen.wizard.go(step)
            await _until(pilot, lambda step=step: _is_ready(app, step))  # type: ignore[misc]
            await shoot(step)
        await pilot.press("s")
        await _until(pilot, lambda: _has_learned(app, 0.5))
        await shoot("training")
        await pilot.press("p")
        await _until(pilot, lambda: _monitor(app).history.state == "paused")
        await shoot("paused")
        await pilot.press("p")
        await _until(pilot, lambda: not app.is_training and _monitor(app).history.state == "done")
        await shoot("done")
        await pilot.press("g")
        await _until(pilot, lambda: isinstance(app.screen, GalleryScreen) and app.screen._was_read)
        await shoot("gallery")
        await pilot.press("escape")
        await _until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await pilot.press("u")
        await _until(pilot, lambda: isinstance(app.screen, UsingScreen))
        await shoot("export")
        await pilot.press("escape", "h")
        await _until(pilot, lambda: isinstance(app.screen, HomeScreen) and app.screen.selected is not None)
        await shoot("runs")
        await app._speak("zh")
        await shoot("chinese")


def _is_ready(app: DbtuiApp, step: str) -> bool:
    """Whether that screen of the wizard stands and knows what the disk holds."""
    screen = app.screen
    if not isinstance(screen, WizardScreen) or not screen.is_ready:
        return False
    context = screen.context
    return context.step == step and context.looked is not None and not screen.wizard.is_busy


def _monitor(app: DbtuiApp) -> MonitorScreen:
    screen = app.screen
    assert isinstance(screen, MonitorScreen), screen
    if screen.history.ending is not None and screen.history.state != "done":
        raise RuntimeError(f"the run ended too early: {screen.history.ending}")
    return screen


def _has_learned(app: DbtuiApp, share: float) -> bool:
    """Whether previews of that part of the run are on the screen."""
    if not isinstance(app.screen, MonitorScreen):
        return False
    screen = _monitor(app)
    sample = screen.query_one(SamplesPane).sample
    total = screen.history.total
    return bool(total and sample is not None and sample.step >= share * total and screen.history.state == "training")


async def _until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await pilot.pause(0.1)


async def _settle(pilot: Pilot[int]) -> None:
    """Until no thread draws a picture any more, and what it drew is on the screen."""
    await pilot.pause(0.6)
    for _ in range(100):
        if all(worker.is_finished for worker in pilot.app.workers):
            break
        await pilot.pause(0.1)
    await pilot.pause()


def main(folder: Path) -> None:
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()

    def take(screen: str, size: tuple[int, int], drawing: str) -> None:
        name, drawing = file_name(screen, size), slim(drawing)
        if len(drawing.encode()) > MOST_BYTES:
            raise RuntimeError(f"{name} has {len(drawing.encode()):,} bytes, more than {MOST_BYTES:,}")
        (folder / name).write_text(drawing, encoding="utf-8")
        taken.add(name)
        print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)

    for name in NOT_OURS:
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="dbtui-") as user:
        os.environ |= SURROUNDINGS | {"HOME": user, "XDG_CONFIG_HOME": f"{user}/.config"}
        time.tzset()
        shutil.copytree(SUBJECT, Path(user) / "pictures" / "rex")
        asyncio.run(walk(Path(user) / "dbtui", take))
    for left in folder.glob("*.svg"):
        if left.name not in taken:
            left.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
