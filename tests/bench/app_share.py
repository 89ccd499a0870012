"""What the app costs the trainer: the demo model's steps without the app, with it, and with it on a slow line.

    python -m tests.bench.app_share [--steps 120] [--repeats 3] [--size 120x36] [--bytes 30000]

The three take turns, each in a process of its own. Speeds are those of steps that follow each other without a preview
or a validation between them. Wants two quiet cores: the trainer computes on one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.config.parsing import with_changes
from core.demo.run import demo_config
from core.events import Event, Step
from core.runs.folder import Run
from core.runs.journal import read_journal
from tests.bench.on_terminal import OnTerminal

FIRST = 5
"""Steps that are left out: caches are cold."""
LONGEST = 900.0


@dataclass
class Measure:
    """Steps a second of each turn; bytes that the terminal was sent, and what the app said it took."""

    speeds: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)


def step_seconds(events: list[Event]) -> list[float]:
    """Of each step that followed another at once."""
    return [
        after.time - before.time
        for before, after in itertools.pairwise(events)
        if isinstance(before, Step) and isinstance(after, Step) and before.step >= FIRST
    ]


def make_run(home: Path, name: str, steps: int) -> Run:
    changes: dict[str, Any] = {
        "intervals.max_steps": steps, "intervals.sample_every_steps": 50, "intervals.sample_at_start": False,
        "saving.export_when_done": False, "tracking.tensorboard": False,
    }  # fmt: skip
    return Run.create(home, with_changes(demo_config(name, prior=False), changes), "bench")


def alone(run: Run) -> None:
    """Train it without the app, its plain lines going nowhere."""
    subprocess.run(
        [sys.executable, "-P", "-m", "dbtui", "--home", str(run.home), "train", run.name],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=LONGEST,
    )  # fmt: skip


def in_app(run: Run, size: tuple[int, int], rate: float | None) -> tuple[dict[str, float], float]:
    """Train it in the app, on a terminal that takes at most `rate` bytes a second; figures, and bytes a second."""
    figures = run.home / f"{run.name}.json"
    program = OnTerminal([sys.executable, "-m", "tests.bench.app_child", str(run.home), run.name, str(figures)], size)
    try:
        while program.child.poll() is None and time.monotonic() - program.began < LONGEST:
            program.read(0.5, 65536 if rate is None else max(1, int(rate / 20)))
            if rate is not None:
                time.sleep(0.05)
        if program.child.wait(30):
            raise RuntimeError(
                f"the app ended with {program.child.returncode}: see {run.log_path} and {run.home / 'app.log'}"
            )
        return json.loads(figures.read_text()), program.taken / (time.monotonic() - program.began)
    finally:
        program.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", default="120x36", help="columns x rows")
    parser.add_argument("--bytes", type=float, default=30_000, help="a second, of the slow line")
    asked = parser.parse_args()
    columns, rows = (int(part) for part in asked.size.split("x"))
    found = {"alone": Measure(), "app": Measure(), "slow": Measure()}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(asked.repeats):
            for kind, measure in found.items():
                run = make_run(Path(folder), f"{kind}-{turn}", asked.steps)
                if kind == "alone":
                    alone(run)
                else:
                    figures, sent = in_app(run, (columns, rows), asked.bytes if kind == "slow" else None)
                    measure.figures.append(figures)
                    measure.sent.append(sent)
                seconds = step_seconds(read_journal(run.journal_path))
                measure.speeds.append(len(seconds) / sum(seconds))
                print(f"turn {turn + 1}, {kind}: {measure.speeds[-1]:.3f} steps/s", flush=True)
    report(found, f"{columns}x{rows}", asked.bytes)


def report(found: dict[str, Measure], size: str, rate: float) -> None:
    """Medians of all turns; what the app costs beside training alone, and how much of that its redraws are."""
    base = statistics.median(found["alone"].speeds)
    print(f"\nwithout the app: {base:.3f} steps/s")
    for kind, title in (("app", f"in the app, {size}"), ("slow", f"the same at {rate / 1000:.0f} KB/s")):
        measure = found[kind]
        speed = statistics.median(measure.speeds)
        drawn = statistics.median(one["redraw_seconds"] / one["seconds"] for one in measure.figures)
        whole = statistics.median(one["app_seconds"] / one["seconds"] for one in measure.figures)
        count = statistics.median(one["redraws"] / one["seconds"] for one in measure.figures)
        sent = statistics.median(measure.sent) / 1000
        print(f"{title}: {speed:.3f} steps/s ({100 * (1 - speed / base):+.1f} % fewer)")
        print(f"  redraws {100 * drawn:.2f} % of the time ({count:.2f} a second), its thread {100 * whole:.2f} %; "
              f"{sent:.1f} KB/s sent")  # fmt: skip


if __name__ == "__main__":
    main()
