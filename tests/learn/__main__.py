"""Learning, measured: `python -m tests.learn`, or `make learn`. Exit 1 where a claim does not hold.

Three seeds of every experiment, two at a time with one thread each: about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

from tests.learn.claims import CLAIMS
from tests.learn.experiments import BEFORE, EXPERIMENTS, measure
from tests.learn.measures import Pictures, of_real_pictures
from tests.learn.report import claims_table, figures_table, write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.learn", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where learning.md and its pictures go [docs]")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes: more threads than cores only wait for each other
    began = time.monotonic()
    seeds = [{"real": of_real_pictures()} for _ in range(asked.seeds)]
    pictures: dict[str, Pictures] = {}
    with ProcessPoolExecutor(asked.processes, multiprocessing.get_context("spawn")) as pool:
        names = (BEFORE, *(experiment.name for experiment in EXPERIMENTS))
        tasks = {pool.submit(measure, name, seed + 1): (name, seed)
                 for seed in range(asked.seeds) for name in names}  # fmt: skip
        for task in as_completed(tasks):
            name, seed = tasks[task]
            seeds[seed][name], drawn = task.result()
            if seed == 0:
                pictures[name] = drawn
            told = ", ".join(f"{figure} {value:.3f}" for figure, value in seeds[seed][name].items())
            print(f"{time.monotonic() - began:5.0f} s  seed {seed + 1}  {name}: {told}", flush=True)
    print("", *figures_table(seeds), "", *claims_table(seeds), sep="\n")
    minutes = (time.monotonic() - began) / 60
    about = (
        f"This run took {minutes:.0f} minutes with {asked.processes} processes of one thread each "
        f"({platform.machine()}, torch {version('torch')})."
    )
    write(asked.out, seeds, pictures, about)
    return 0 if all(claim.holds(seeds) for claim in CLAIMS) else 1


if __name__ == "__main__":
    sys.exit(main())
