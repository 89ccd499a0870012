"""Trains a run in the app until it ends, then says what the app took. For `tests/bench/app_share.py`.

`app_child.py HOME NAME FIGURES`: its terminal is standard input and output; the figures are JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import dbtui.app
from dbtui.app import DbtuiApp
from dbtui.monitor.screen import MonitorScreen
from dbtui.terminal.output import lead_output_to
from dbtui.terminal.session import Session


class Measured(DbtuiApp):
    """Leaves when the training has ended. The thread of the app is measured from the first step on."""

    CSS_PATH = Path(dbtui.app.__file__).with_name("app.tcss")
    figures: Path
    _since: tuple[float, float] | None = None

    def on_mount(self) -> None:
        self.set_interval(0.5, self._look)

    def _look(self) -> None:
        monitor = self.screen
        if not isinstance(monitor, MonitorScreen):
            return
        if self._since is None and monitor.history.step:
            self._since = time.thread_time(), time.monotonic()
            monitor.pace.redraws, monitor.pace.spent = 0, 0.0
        if self.training is not None and not self.training.running and self._since is not None:
            self.figures.write_text(json.dumps({
                "redraws": monitor.pace.redraws,
                "redraw_seconds": monitor.pace.spent,
                "app_seconds": time.thread_time() - self._since[0],
                "seconds": time.monotonic() - self._since[1],
            }))  # fmt: skip
            self.exit(0)


def main(home: str, name: str, figures: str) -> int:
    app = Measured(Path(home), attach=name, begin=True)
    app.figures = Path(figures)
    app.lead_output = lead_output_to
    return Session(app, lambda: app.training).run(Path(home) / "app.log")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
