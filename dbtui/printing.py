"""What commands write to the terminal: tables, JSON, plain lines. Everything foreign passes through `safe`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dbtui.safe import safe, safe_lines
from dbtui.widths import break_lines_between_characters, paragraph

USUAL_WIDTH = 80


def console(stream: IO[str] | None = None) -> Console:
    """A console that takes no text for markup, emoji names or things to highlight."""
    break_lines_between_characters()
    made = Console(file=stream or sys.stdout, markup=False, emoji=False, highlight=False)
    if made.width < 1:  # COLUMNS=0, as some shells without a terminal have it: nothing at all would be shown
        made.width = USUAL_WIDTH
    return made


def print_lines(text: object = "") -> None:
    """One or several lines on stdout, a path as it is."""
    lines = safe_lines(text)
    print(lines if isinstance(text, PurePath) else wrapped(lines, sys.stdout), flush=True)


def wrapped(text: str, stream: IO[str]) -> str:
    """`text` in lines that fit, broken between words, where `stream` is a terminal: that would break them anywhere."""
    if not stream.isatty():
        return text
    return "\n".join(_in_lines(text, console(stream).width))


def print_paragraph(out: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """`text`, which is safe to show, broken between words, and what is to be copied from it whole."""
    for line in _in_lines(text, out.width - indent):
        out.print(Text(" " * indent + line, style), soft_wrap=True)


def _in_lines(text: str, width: int) -> list[str]:
    return [line for part in text.split("\n") for line in paragraph(part, width)]


def print_json(value: Any) -> None:
    """`value` as JSON on stdout; what JSON has no word for (paths) becomes text."""
    print(json.dumps(value, indent=2, ensure_ascii=True, default=str), flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()) -> Table:
    """A table without boxes; the columns named in `right` are aligned to the right."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    rights = frozenset(right)
    for column in columns:
        drawn.add_column(column, justify="right" if column in rights else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(safe(cell)) for cell in row))
    return drawn
