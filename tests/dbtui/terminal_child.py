"""A small app with a training thread of its own, for tests that take its terminal away.

`terminal_child.py FOLDER STEPS SECONDS`: trains STEPS steps of SECONDS each, and tells in FOLDER/journal what happened.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Static

from dbtui.terminal.session import Session


@dataclass
class Ending:
    exit_code: int


class SlowTraining:
    """A thread that counts steps, as a `TrainingHandle` would."""

    def __init__(self, folder: Path, steps: int, seconds: float) -> None:
        self.folder, self.steps, self.seconds = folder, steps, seconds
        self.ending: Ending | None = None
        self._stop: str | None = None
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def request(self, command: str, **fields: str) -> str:
        self._stop = fields["reason"]
        return "id"

    def join(self) -> Ending | None:
        self._thread.join()
        return self.ending

    def end_now(self) -> None:
        self._say("ended now")

    def _say(self, line: str) -> None:
        with (self.folder / "journal").open("a") as journal:
            journal.write(line + "\n")

    def _work(self) -> None:
        for step in range(1, self.steps + 1):
            time.sleep(self.seconds)
            self._say(f"step {step}")
            if step == 3:
                os.write(1, b"a C library prints\n")
                os.write(2, b"and complains\n")
                print("python prints", flush=True)
            if self._stop is not None:
                time.sleep(0.3)
                self._say(f"stopped {self._stop}")
                self.ending = Ending(3)
                return
        self._say("done")
        self.ending = Ending(0)


class Flood(App[int]):
    """Redraws much, often."""

    BINDINGS = [("q", "leave", "Leave"), ("e", "mistake", "Mistake")]
    training: SlowTraining | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)
        yield Static("THIS NEVER CHANGES", markup=False)

    def on_mount(self) -> None:
        self.set_interval(0.05, self._draw)
        self.training = SlowTraining(self.folder, int(sys.argv[2]), float(sys.argv[3]))

    def _draw(self) -> None:
        seed = time.monotonic_ns()
        rows = ["".join(chr(65 + (seed + row * 31 + column**2) % 57) for column in range(78)) for row in range(20)]
        self.query(Static).first().update("\n".join(rows))

    def action_leave(self) -> None:
        self.exit(0)

    def action_mistake(self) -> None:
        raise RuntimeError("a mistake in the app")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    app = Flood(folder)
    deserted = (folder / "deserted").touch
    code = Session(app, lambda: app.training, deserted).run(folder / "app.log")
    (folder / "code").write_text(str(code))
    sys.exit(code)
