"""What the tests of runs share: a run, a fake trainer inside it, other processes that train."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.events import Event
from core.runs import pump
from core.runs.commands import Command
from core.runs.folder import Run
from core.runs.lock import owner
from tests.runs.bodies import Body
from tests.runs.fakes import FakeTrainer, make_run

ROOT = Path(__file__).parents[2]

Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> list[FakeTrainer]:
    """Every trainer that the pump makes, in order; fake ones of ten quick steps."""
    made: list[FakeTrainer] = []

    def make(config: RunConfig, folder: Path, resume: bool, poll: pump.Poll) -> FakeTrainer:
        made.append(FakeTrainer(folder, resume, poll))
        return made[-1]

    monkeypatch.setattr(pump, "make_trainer", make)
    return made


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch) -> Callable[[Body], None]:
    """Let the trainer be this generator."""

    def use(body: Body) -> None:
        class Trainer:
            def __init__(self, folder: Path, poll: Callable[[], Sequence[Command]]) -> None:
                self.folder, self.poll = folder, poll

            def run(self) -> Iterator[Event]:
                yield from body(self.folder, self.poll)

        monkeypatch.setattr(pump, "make_trainer", lambda config, folder, resume, poll: Trainer(folder, poll))

    return use


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Train a run in another process: returns once that holds the lock. Killed at the end of the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(run: Run, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.runs.fakes", str(run.home), run.name, *options]
        process = subprocess.Popen(command, cwd=ROOT)
        processes.append(process)
        until(lambda: owner(run.lock_path) is not None or process.poll() is not None)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something another thread or process does; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
