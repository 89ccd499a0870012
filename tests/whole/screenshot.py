"""`python -m tests.whole.screenshot FILE.svg`: the app in the middle of a real demo, as a picture for the README."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from core.demo.run import make_demo_run
from dbtui import __version__
from dbtui.app import DbtuiApp
from dbtui.monitor.samples import SamplesPane
from dbtui.monitor.screen import MonitorScreen
from tests.whole.drawings import slim

SIZE = (100, 34)
SHARE = 0.8
"""How far the run is: learned, and still at work."""
PATIENCE_SECONDS = 900


async def draw(home: Path, size: tuple[int, int] = SIZE, share: float = SHARE) -> str:
    """The SVG. Trains a demo in `home` as `dbtui demo` does, and ends it without saving."""
    run = make_demo_run(home, __version__)
    app = DbtuiApp(home, attach=run.name, begin=True)
    async with app.run_test(size=size, notifications=True) as pilot:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not _shows(app, share):
                await pilot.pause(0.2)
        await pilot.pause()
        drawing = app.export_screenshot(title="dbtui demo")
        assert app.training is not None
        app.training.request("stop", discard=True)
        while app.is_training:
            await pilot.pause(0.1)
    return drawing


def _shows(app: DbtuiApp, share: float) -> bool:
    """Whether previews of that part of the run are on the screen, and it still trains."""
    screen = app.screen
    if not isinstance(screen, MonitorScreen) or not screen.history.total:
        return False
    if screen.history.ending is not None:
        raise RuntimeError(f"the demo ended too early: {screen.history.ending}")
    sample = screen.query_one(SamplesPane).sample
    return sample is not None and sample.step >= share * screen.history.total and screen.history.state == "training"


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        path.write_text(slim(asyncio.run(draw(Path(home)))), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
