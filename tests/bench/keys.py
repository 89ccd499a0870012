"""How soon the app answers a key while a run loads and trains in it: the demo's model, all cores.

    python -m tests.bench.keys [--steps 150] [--size 80x24]

A key counts as answered when what it brings has been drawn: the help, a question, the list of runs, the gallery, a
pane, all commands, and the monitor again. They come at uneven times, so that they meet every part of a step. (Esc alone
is told from the start of another key by waiting 100 ms: it is pressed, not measured.)
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.events import Phase, Step
from core.runs.journal import read_journal
from tests.bench.app_share import make_run
from tests.bench.on_terminal import OnTerminal

F1, ESC, ENTER, CTRL_P = b"\x1bOP", b"\x1b", b"\r", b"\x10"
MONITOR = "Learning"
"""A part of what the monitor draws, whole."""
PAUSE = 0.15, 0.6
LONGEST = 600.0


@dataclass(frozen=True)
class Way:
    """A key and a part of what it brings, and the same for the way back."""

    name: str
    key: bytes
    brings: str
    back: bytes
    returns: str = MONITOR


WAYS = (
    Way("help", F1, "Esc closes", F1),
    Way("question (x)", b"x", "Stop without saving", b"g"),
    Way("question (q)", b"q", "Go on in the background", b"g"),
    Way("runs (h)", b"h", "Demo", ENTER),
    Way("gallery (g)", b"g", "Back", b"g"),
    Way("commands (Ctrl+P)", CTRL_P, "Search", ESC),
)
PANES = {False: Way("pane (4)", b"4", "CPU", b"1", "Loss"), True: Way("pane (4)", b"4", "CPU", b"4")}
"""The machine, and the loss or everything again: whether the terminal is wide enough for everything."""


@dataclass(frozen=True)
class Press:
    """`moment` is a unix time."""

    name: str
    moment: float
    seconds: float


def presses(run_folder: Path, program: OnTerminal, chance: random.Random, ways: tuple[Way, ...]) -> list[Press]:
    """Go these ways and back, as chance has it, until the program ends."""
    done: list[Press] = []
    while True:
        way = chance.choice(ways)
        for name, key, brings in ((way.name, way.key, way.brings), (f"back: {way.name}", way.back, way.returns)):
            program.drain(chance.uniform(*PAUSE))
            if program.child.poll() is not None or (run_folder / "figures").exists():
                return done
            began = program.press(key)
            try:
                seconds = program.until(brings, 10) - began
            except TimeoutError:
                if program.child.poll() is None:
                    raise
                continue
            if key != ESC:
                done.append(Press(name, time.time() - seconds, seconds))


def told(title: str, these: Iterable[Press]) -> str:
    taken = sorted(1000 * one.seconds for one in these)
    middle, late = taken[len(taken) // 2], taken[int(0.95 * len(taken))]
    return (f"{title}: {len(taken)} keys, median {middle:.0f} ms, 95 of 100 within {late:.0f} ms, "
            f"longest {taken[-1]:.0f} ms")  # fmt: skip


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
            done = presses(run.path, program, random.Random(0), (*WAYS, PANES[columns >= 120]))
        finally:
            program.end()
        events = read_journal(run.journal_path)
    trains = next(event.time for event in events if isinstance(event, Step))
    ended = max(event.time for event in events if isinstance(event, (Step, Phase)))
    for title, these in (
        ("while it loads", [one for one in done if one.moment < trains]),
        ("while it trains", [one for one in done if trains <= one.moment < ended]),
    ):
        if these:
            print(told(title, these))
    trained = [one for one in done if trains <= one.moment < ended]
    for name in sorted({one.name for one in trained}):
        print("  " + told(name, [one for one in trained if one.name == name]))


if __name__ == "__main__":
    main()
