"""Command lines that are told to people, so that they work as they stand."""

from __future__ import annotations

from pathlib import Path

from core.runs.home import home_option
from dbtui.safe import safe


def command_line(words: str, home: Path) -> str:
    """`dbtui attach clock`, with `--home` where the runs are not kept in the usual place."""
    return f"dbtui {safe(words)}{safe(home_option(home))}"
