"""Runs that wait in a queue, and a worker in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from core.runs.folder import Run
from core.runs.queue import (
    add,
    read_queue,
)
from tests.runs.conftest import ROOT
from tests.runs.fakes import make_run

PROGRAM = """
import sys
from pathlib import Path
from core.runs import launch, worker
from core.texts import UserError

def command(run, resume):
    options = (run.path / "options").read_text().split() if (run.path / "options").exists() else []
    return [sys.executable, "-m", "tests.runs.fakes", str(run.home), run.name, *options,
            *(["--resume"] if resume else [])]

launch.command_line = command
home = Path(sys.argv[1])
import signal
made = worker.Worker(home, lambda said: print(said.code, said.values.get("name", ""), flush=True))
signal.signal(signal.SIGTERM, lambda *_: made.stop())
try:
    sys.exit(made.work())
except UserError as error:
    print(error.code, flush=True)
    sys.exit(2)
"""


class Working:
    """A worker in a process of its own, with the fake trainer."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def told(self) -> list[str]:
        """Everything it has said, once it has ended."""
        output, _ = self.process.communicate(timeout=60)
        return [line.strip() for line in output.splitlines()]


def waiting(home: Path, *names: str, options: str = "") -> list[Run]:
    """Made, and put into the queue in this order."""
    runs = [make_run(home, name) for name in names]
    for run in runs:
        (run.path / "options").write_text(options)
        plain = run.config_path.read_text().replace("tensorboard = true", "tensorboard = false")
        run.config_path.write_text(plain)  # whose library takes seconds to load
        add(home, run)
    return runs


def names(home: Path) -> list[str]:
    return [entry.name for entry in read_queue(home).entries]


def starts(run: Run) -> int:
    return run.journal_path.read_text().count('"run"')
