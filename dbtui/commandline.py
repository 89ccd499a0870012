"""Command lines that are told to people, so that they work as they stand."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from core.runs.home import home_option
from dbtui.safe import safe


def command_line(words: str, home: Path) -> str:
    """`dbtui attach clock`, with `--home` where the runs are not kept in the usual place. Without `words`: the app."""
    return f"{_program()} {safe(words)}".rstrip() + safe(home_option(home))


def as_typed_here(text: str) -> str:
    """`text` with every command in it (`dbtui runs` in back quotes) as a shell finds it here."""
    return text.replace("`dbtui ", f"`{_program()} ")


def _program() -> str:
    """`dbtui` where a shell finds it by that name; else its path: `make run` works in an environment that no shell
    has activated.
    """
    beside = Path(sys.executable).with_name("dbtui")
    if shutil.which("dbtui") is not None or not beside.exists():
        return "dbtui"
    here = Path.cwd()
    return shlex.quote(safe(str(beside.relative_to(here) if beside.is_relative_to(here) else beside)))
