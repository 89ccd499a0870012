"""How soon the app answers a key while a run loads and trains in it: the demo's model, all cores.

    python -m tests.bench.keys [--steps 150] [--size 80x24]

A key counts as answered when what it brings has been drawn: F1 the help, F1 again the monitor. They come at uneven
times, so that they meet every part of a step. (Esc alone is told from the start of another key by waiting 100 ms.)
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from core.events import Phase, Step
from core.runs.journal import read_journal
from tests.bench.app_share import make_run
from tests.bench.on_terminal import OnTerminal

F1 = b"\x1bOP"
BRINGS = "Esc closes", "Learning"
"""A part of the help, and of the monitor."""
PAUSE = 0.15, 0.6
LONGEST = 600.0


@dataclass(frozen=True)
class Press:
    """`moment` is a unix time."""

    moment: float
    seconds: float


def presses(run_folder: Path, program: OnTerminal, chance: random.Random) -> list[Press]:
    """Press F1 until the program ends."""
    done: list[Press] = []
    for brings in itertools.cycle(BRINGS):
        program.drain(chance.uniform(*PAUSE))
        if program.child.poll() is not None or (run_folder / "figures").exists():
            return done
        began = program.press(F1)
        try:
            done.append(Press(time.time(), program.until(brings, 10) - began))
        except TimeoutError:
            if program.child.poll() is None:
                raise
    raise AssertionError("the cycle has no end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--size", default="80x24", help="columns x rows")
    asked = parser.parse_args()
    columns, rows = (int(part) for part in asked.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder), "keys", asked.steps)
        command = [sys.executable, "-m", "tests.bench.app_child", str(run.home), run.name, f"{run.path}/figures"]
        program = OnTerminal(command, (columns, rows))
        try:
            program.until("Menu", LONGEST)
            done = presses(run.path, program, random.Random(0))
        finally:
            program.end()
        events = read_journal(run.journal_path)
    trains = next(event.time for event in events if isinstance(event, Step))
    ended = max(event.time for event in events if isinstance(event, (Step, Phase)))
    for title, these in (
        ("while it loads", [one for one in done if one.moment < trains]),
        ("while it trains", [one for one in done if trains <= one.moment < ended]),
    ):
        taken = sorted(1000 * one.seconds for one in these)
        if taken:
            middle, late = taken[len(taken) // 2], taken[int(0.95 * len(taken))]
            print(f"{title}: {len(taken)} keys, median {middle:.0f} ms, 95 of 100 within {late:.0f} ms, "
                  f"longest {taken[-1]:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
