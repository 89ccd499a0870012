"""Runs another program and notes when each of its updates was made: `python -m tests.bench.timed_child OUT WHAT …`.

WHAT is a script's path, or `-m` and a module. OUT becomes a JSON file. `updates` has a line for each update
that any optimizer of torch's made, whoever called it: the moment by the clock, the seconds that the process computed
by then, and its peak memory by then in bytes; `peak_bytes` is that at its end. Both sides of a comparison are timed so.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys
import time
from pathlib import Path

from torch.optim.optimizer import register_optimizer_step_post_hook


def main(out: Path, what: str, arguments: list[str]) -> None:
    updates: list[tuple[float, float, int]] = []
    register_optimizer_step_post_hook(
        lambda *_: updates.append((time.perf_counter(), time.process_time(), peak_bytes()))
    )
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
    out.write_text(json.dumps({"updates": updates, "peak_bytes": peak_bytes()}))
    sys.exit(code)  # type: ignore[arg-type]


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
