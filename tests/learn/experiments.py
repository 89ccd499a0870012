"""One experiment from its training to its figures: what the processes of `python -m tests.learn` are given to do."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.learn.measures import Figures, Pictures, after, before
from tests.learn.runs import EXPERIMENTS, train

BEFORE = "before"
_BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


def measure(name: str, seed: int) -> tuple[Figures, Pictures]:
    """One experiment of one seed, or `BEFORE` any; its run is in a folder that is gone afterwards."""
    if name == BEFORE:
        return before(seed)
    with tempfile.TemporaryDirectory() as folder:
        experiment = _BY_NAME[name]
        return after(experiment, train(experiment, seed, Path(folder) / name), seed)
