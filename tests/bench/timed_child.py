"""Runs another program and notes when each of its updates was made: `python -m tests.bench.timed_child OUT WHAT …`.

WHAT is a script's path, or `-m` and a module. OUT becomes a JSON file: the moments in seconds at which any optimizer of
torch's made an update, whoever called it, and the peak memory of the process in bytes. Both sides of a comparison are
timed by this.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys
import time
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook


def main(out: Path, what: str, arguments: list[str]) -> None:
    moments: list[float] = []
    register_optimizer_step_post_hook(lambda *_: moments.append(time.perf_counter()))
    code: object = 0
    try:
        if what == "-m":
            sys.argv = arguments
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [what, *arguments]
            runpy.run_path(what, run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    out.write_text(json.dumps({"moments": moments, "peak_bytes": peak, "threads": torch.get_num_threads()}))
    sys.exit(code)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
