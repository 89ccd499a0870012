"""The step of a run that a person found best: `<run>/best.json`. The gallery marks it, exports take it, and its saved
state is kept however many newer ones there are.
"""

from __future__ import annotations

import json
from pathlib import Path

from core.files import write_atomic

FILE = "best.json"


def best_step(folder: Path) -> int | None:
    """The step that is marked in the run at `folder`; `None` where none is, or the file is damaged."""
    try:
        step = json.loads((folder / FILE).read_bytes())["step"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return step if isinstance(step, int) and not isinstance(step, bool) and step >= 0 else None


def mark_best(folder: Path, step: int | None) -> None:
    """Mark `step`, or take the mark away. Raises `OSError`."""
    if step is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        write_atomic(folder / FILE, json.dumps({"step": step}) + "\n")
