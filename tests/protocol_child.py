"""The process that strace kills or starves in `test_files.py`: one save by the protocol, and how it ended."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from core.files import remove_directory, staged_directory, write_atomic
from core.texts import UserError

MARK = "/the-protocol-begins-here"


SAVED, FAILED = 10, 11
"""Exit codes; any other is a mistake in the protocol or a kill."""


def main(scenario: str, folder: Path) -> int:
    os.access(MARK, os.F_OK)
    try:
        if scenario == "file":
            write_atomic(folder / "state.json", "new" * 1000)
        else:
            with staged_directory(folder / ("step-2" if scenario == "beside" else "step-1"), {"step": 2}) as staging:
                (staging / "weights").write_bytes(b"new" * 1000)
                (staging / "more").mkdir()
                (staging / "more" / "state.json").write_text("{}")
    except (OSError, UserError):
        return FAILED
    if scenario == "beside":
        with contextlib.suppress(OSError):
            remove_directory(folder / "step-1")
    return SAVED


if __name__ == "__main__":
    os._exit(main(sys.argv[1], Path(sys.argv[2])))
