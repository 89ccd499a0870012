"""How soon the first whole frame stands, beside `python -m textual`: both started in turns on a terminal of their own.

python -m tests.bench.first_frame [--repeats 7] [--size 120x36]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile

from tests.bench.on_terminal import OnTerminal

LAST_DRAWN = {"dbtui": "Menu", "textual": "palette"}
"""What each draws last: the right end of its footer."""
LONGEST = 60.0


def first_frame(module: str, arguments: list[str], size: tuple[int, int]) -> float:
    """Seconds from the start of `python -m MODULE` to its first whole frame."""
    program = OnTerminal([sys.executable, "-m", module, *arguments], size)
    try:
        return program.until(LAST_DRAWN[module], LONGEST) - program.began
    finally:
        program.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--size", default="120x36", help="columns x rows")
    asked = parser.parse_args()
    columns, rows = (int(part) for part in asked.size.split("x"))
    seconds: dict[str, list[float]] = {"dbtui": [], "textual": []}
    with tempfile.TemporaryDirectory() as home:
        for _ in range(asked.repeats + 1):
            seconds["dbtui"].append(first_frame("dbtui", ["--home", home], (columns, rows)))
            seconds["textual"].append(first_frame("textual", [], (columns, rows)))
    ours, theirs = (statistics.median(taken[1:]) for taken in seconds.values())  # the first reads cold files
    print(f"first frame at {asked.size}: dbtui {ours:.3f} s, textual {theirs:.3f} s, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
