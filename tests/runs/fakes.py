"""A trainer without torch, for the tests of what surrounds one; as a program it trains a run in its own process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Checkpoint, Continued, Done, Event, Paused, Phase, RunStarted, Step, Stopped
from core.runs import pump
from core.runs.commands import Command
from core.runs.folder import Run

VERSION = "0.0.test"


def make_run(home: Path, name: str = "clock") -> Run:
    return Run.create(home, with_changes(RunConfig(), {"model.name": name}), VERSION)


def started(total: int = 10, resumed_from: int | None = None, time: float | None = None) -> RunStarted:
    more = {} if time is None else {"time": time}
    return RunStarted(
        config_hash="c",
        versions={},
        device="cpu",
        total_steps=total,
        steps_per_epoch=5,
        resumed_from=resumed_from,
        **more,
    )


def step(number: int, loss: float | None = 0.5, time: float | None = None) -> Step:
    more = {} if time is None else {"time": time}
    return Step(
        step=number, epoch=1, loss=loss, instance_loss=loss, prior_loss=None, rate=1e-6, text_encoder_rate=None,
        gradient_norm=1.0, images_per_second=2.0, memory_bytes=1000, **more,
    )  # fmt: skip


class FakeTrainer:
    """Steps of `seconds` each; obeys pause, continue, save and stop as the real one does."""

    def __init__(
        self,
        folder: Path,
        resume: bool,
        poll: Callable[[], Sequence[Command]],
        *,
        total: int = 10,
        seconds: float = 0.0,
    ) -> None:
        self.folder, self.resume, self.poll, self.total, self.seconds = folder, resume, poll, total, seconds
        self.closed = False

    def run(self) -> Iterator[Event]:
        state = self.folder / "fake-state"
        first = int(state.read_text()) if self.resume and state.exists() else 0
        paused = False
        try:
            yield Phase(name="loading")
            yield started(self.total, first or None)
            number = first
            while number < self.total:
                for command in self.poll():
                    match command.command:
                        case "pause":
                            paused = True
                            yield Paused(step=number, id=command.id)
                        case "continue":
                            paused = False
                            yield Continued(step=number, id=command.id)
                        case "save":
                            state.write_text(str(number))
                            path = f"checkpoints/step-{number:06d}"
                            yield Checkpoint(step=number, path=path, bytes=1, seconds=0.0, id=command.id)
                        case "stop":
                            saved = not command.fields.get("discard")
                            if saved:
                                state.write_text(str(number))
                            reason = command.fields.get("reason", "user")
                            yield Stopped(step=number, saved=saved, reason=reason, id=command.id)
                            return
                time.sleep(self.seconds or (0.01 if paused else 0))
                if not paused:
                    number += 1
                    yield step(number)
            yield Done(step=number, seconds=1.0)
        finally:
            self.closed = True


def main(home: Path, name: str, *options: str) -> int:
    """Train in this process; `--slow` for long steps, `--die` to fail before the lock is taken, `--tell` to note how it
    was called.
    """
    if "--tell" in options:
        called = f"{os.environ.get('CUDA_VISIBLE_DEVICES', '')}|{' '.join(options)}"
        (home / "runs" / name / "told").write_text(called)
    if "--die" in options:
        print("something went wrong early", file=sys.stderr)
        return 7
    seconds = 0.05 if "--slow" in options else 0.0

    def make(config: RunConfig, folder: Path, resume: bool, poll: pump.Poll) -> FakeTrainer:
        return FakeTrainer(folder, resume, poll, total=100_000 if seconds else 10, seconds=seconds)

    pump.make_trainer = make
    return pump.train(Run.open(home, name), resume="--resume" in options).exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
