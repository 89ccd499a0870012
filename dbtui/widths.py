"""Texts brought to a width in cells of the terminal: a Chinese character takes two, a mark above another none."""

from __future__ import annotations

import re

from rich import _wrap
from rich.cells import cell_len
from textual.content import Content


def fitted(text: str, width: int) -> str:
    """`text` in exactly `width` cells: filled up with spaces on the right, or cut with an ellipsis."""
    content = Content(text)
    if content.cell_length > width:
        content = content.truncate(width, ellipsis=True)
    return content.plain + " " * (width - content.cell_length)


def both_ends(text: str, width: int) -> str:
    """`text` in at most `width` cells, with an ellipsis in its middle where it is longer: names differ at both ends."""
    if cell_len(text) <= width:
        return text
    tail = len(text)
    while tail > 0 and cell_len(text[tail - 1 :]) <= (width - 1) // 2:
        tail -= 1
    head = Content(text).truncate(max(0, width - 1 - cell_len(text[tail:]))).plain.rstrip()
    return f"{head}…{text[tail:]}"


def flush_right(text: str, width: int) -> str:
    """The same with the spaces on the left; what is longer stays whole."""
    return " " * (width - cell_len(text)) + text


def centred(text: str, width: int) -> str:
    """The same with spaces on both sides."""
    room = max(0, width - cell_len(text))
    return " " * (room // 2) + text + " " * (room - room // 2)


_IDEOGRAPH = "\u2e80-\u2fff\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CLOSING = "、。，．；：？！）］｝〉》」』】〕…—”’·％"
_OPENING = "（［｛〈《「『【〔“‘"


def break_lines_between_characters() -> None:
    """Let a line of Chinese end after any character, but not before a full stop nor after an opening bracket.

    rich and Textual break lines at spaces alone, and both take a word for what `rich._wrap.re_word` matches. Text
    without such characters is broken as before.
    """
    own = f"[{_OPENING}]*[{_IDEOGRAPH}][{_CLOSING}]*"
    other = f"[^\\s{_IDEOGRAPH}、。，．；：？！（）［］｛｝〈〉《》「」『』【】〔〕]+[{_CLOSING}]*"
    _wrap.re_word = re.compile(rf"\s*(?:{own}|[{_OPENING}]*{other}|\S)\s*")
