"""Command lines that are told to people, so that they work as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

from core.runs.home import home_directory
from dbtui.safe import safe


def command_line(words: str, home: Path) -> str:
    """`dbtui attach clock`, with `--home` where the runs are not kept in the usual place."""
    told = "" if home == home_directory(None) else f" --home {safe(shlex.quote(str(home)))}"
    return f"dbtui {safe(words)}{told}"
