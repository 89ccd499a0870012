"""Texts brought to a width in cells of the terminal: a Chinese character takes two, a mark above another none."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content


def fitted(text: str, width: int) -> str:
    """`text` in exactly `width` cells: filled up with spaces on the right, or cut with an ellipsis."""
    content = Content(text)
    if content.cell_length > width:
        content = content.truncate(width, ellipsis=True)
    return content.plain + " " * (width - content.cell_length)


def flush_right(text: str, width: int) -> str:
    """The same with the spaces on the left; what is longer stays whole."""
    return " " * (width - cell_len(text)) + text


def centred(text: str, width: int) -> str:
    """The same with spaces on both sides."""
    room = max(0, width - cell_len(text))
    return " " * (room // 2) + text + " " * (room - room // 2)
