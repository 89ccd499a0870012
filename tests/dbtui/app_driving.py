"""What the tests of the app share: hostile names, a survey that looks nowhere, a wait for what a thread answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from textual import events
from textual.pilot import Pilot

from core.config.options import RunConfig
from core.data.scan import Picture, Scan
from core.families import FAMILIES
from core.families.describe import SourceDescription
from core.machine import Machine
from core.planning.facts import Facts
from dbtui.app import DbtuiApp
from dbtui.drafts import Draft
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.flow import start
from dbtui.wizard.rows import Row

HOSTILE = ("[@click=app.quit]x[/]", "x[/]", "\x1b]52;c;aGk=\x07evil", "\x9b31m", "a\u202egnp.exe", "[red")
"""Names that would run an action, crash a label, write the clipboard, colour the screen or turn the line around."""

FILLED = {
    "model.name": "clock",
    "model.source": "/models/sd15.safetensors",
    "concepts.0.instance.directory": "/pictures/clock",
    "concepts.0.instance.identifier": "sks",
    "concepts.0.instance.class_noun": "alarm clock",
}


def imagined(config: RunConfig, home: Path, *, decode: bool, resuming: bool = False) -> Facts:
    """A survey of a world where six pictures and SD 1.5's sizes are always there."""
    folder = Path("/pictures/clock")
    pictures = tuple(Picture(folder / f"0{number}.jpg", 1024, 768 + number) for number in range(6))
    source = SourceDescription(
        source=config.model.source,
        path=Path("/models/sd15.safetensors"),
        kind="safetensors",
        family="sd1",
        prediction_type="epsilon",
        native_resolution=512,
        latent_factor=8,
        parameters={"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
        bytes=4_265_146_304,
        tensors={component: {} for component in FAMILIES["sd1"].components},
        configs=FAMILIES["sd1"].shipped_configs(),
    )
    return Facts(
        scans=tuple(Scan(folder, pictures, ()) if concept.instance.directory else None for concept in config.concepts),
        prior_scans=tuple(None for _ in config.concepts),
        source=source if config.model.source else None,
        local_source=config.model.source,
        machine=Machine(device="cuda", gpu="Imagined 24", gpu_memory=24_000_000_000, gpu_free=23_000_000_000,
                        memory=64_000_000_000, memory_available=60_000_000_000, cores=8, knows_bf16=True),
        free_bytes=500_000_000_000,
    )  # fmt: skip


async def until(pilot: Pilot[int], condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for what a thread, a timer or the next frame brings."""
    for _ in range(round(seconds / 0.02)):
        await pilot.pause()
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never happened")


async def at_rest(pilot: Pilot[int]) -> None:
    """Wait until no thread works, nothing is asked of the disk, and what is drawn stays as it is."""
    app, before, alike = pilot.app, None, 0

    def works() -> bool:
        wizards = (getattr(screen, "wizard", None) for screen in app.screen_stack)
        threads = any(worker._thread_worker and not worker.is_finished for worker in app.workers)
        return threads or any(wizard is not None and wizard.is_busy for wizard in wizards)

    def stays() -> bool:
        nonlocal before, alike
        now = [list(strip) for strip in app.screen._compositor.render_strips()]
        alike = alike + 1 if now == before and not works() else 0
        before = now
        return alike >= 4

    await until(pilot, stays)


async def open_wizard(
    pilot: Pilot[int], step: str = "model", texts: dict[str, str] | None = None, preset: str = "", concepts: int = 1
) -> WizardScreen:
    """The wizard at `step` with `texts` typed, after the first look at the world."""
    app = pilot.app
    assert isinstance(app, DbtuiApp)
    start(app, app.home, Draft("20250101-120000-abcd", preset, step, concepts, texts or {}))
    await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.is_ready)
    screen = app.screen
    assert isinstance(screen, WizardScreen)
    await until(pilot, lambda: screen.context.looked is not None and not screen.wizard.is_busy)
    return screen


def shown(app: DbtuiApp) -> str:
    """The text on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def row_of(screen: WizardScreen, path: str) -> Row:
    return next(row for row in screen.query(Row) if row.path == path)


def press(app: DbtuiApp, *keys: str) -> None:
    """Type `keys` without waiting for the screen between them, as fingers do on a slow machine."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


def current(app: DbtuiApp) -> WizardScreen:
    assert isinstance(app.screen, WizardScreen)
    return app.screen
