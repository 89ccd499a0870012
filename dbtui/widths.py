"""Texts brought to a width in cells of the terminal: a Chinese character takes two, a mark above another none."""

from __future__ import annotations

import re
from functools import lru_cache

from rich import text as rich_text
from rich._wrap import divide_line
from rich.cells import cell_len, chop_cells
from textual import content as textual_content
from textual.content import Content

from core.languages.breaking import CHINESE, CLOSING, IDEOGRAPH, MARKS, PART, together, words_of


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


_COPIED = re.compile(r"`[^`]*`|(?<!\S)[~.]{0,2}/[^\s，。；：、）]+")


def paragraph(text: str, width: int) -> list[str]:
    """`text` in lines of `width` cells, broken between words and indented as it is itself.

    What is to be copied stays whole, for the terminal to wrap where it is too long: a command between backticks, a
    path, any word longer than a line.
    """
    indent = text[: len(text) - len(text.lstrip(" "))]
    rest = text[len(indent) :]
    starts = _divide(_COPIED.sub(_as_one_word, rest), max(1, width - len(indent)), fold=False)
    ends = [*starts, len(rest)]
    return [indent + rest[start:end].rstrip() for start, end in zip([0, *starts], ends, strict=True)]


def _as_one_word(found: re.Match[str]) -> str:
    """As wide as what was found, and nowhere to be broken."""
    return re.sub(f"[{IDEOGRAPH}{MARKS}]", "🀄", found[0]).replace(" ", "_")


def break_lines_between_characters() -> None:
    """Let a line of Chinese end after any character (rich and Textual break lines at spaces alone).

    But no line begins with a mark that closes or ends with one that opens, a command between backticks and the words
    that our texts are made of stay whole where they fit, and the last line is no single character. Text without Chinese
    is broken as before. In both no number is parted from its unit, nor in a list from the label before it.
    """
    rich_text.divide_line = textual_content.divide_line = _divide  # type: ignore[attr-defined]


def _divide(text: str, width: int, fold: bool = True) -> list[int]:
    """Where the lines of `text` begin, the first one left out: `rich._wrap.divide_line` for Chinese."""
    width = max(1, width)  # for one layout, while a terminal is made narrow, there may be no room at all
    if CHINESE.search(text) or (fold and _is_parted(text, width)):
        return list(_starts(text, width, fold))
    return list(dict.fromkeys(divide_line(together(text, width), width, fold)))  # twice where a character is too wide


def _is_parted(text: str, width: int) -> bool:
    """Whether a word (a path, a hub id) is longer than a line and has parts."""
    return len(text) > width and any(len(word) > width and PART.search(word) for word in text.split())


@lru_cache(maxsize=4096)
def _starts(text: str, width: int, fold: bool) -> tuple[int, ...]:
    starts: list[int] = []
    place = used = 0
    for word in words_of(text, width, cell_len, fold):
        if used and used + cell_len(word.rstrip()) > width:
            starts.append(place)
            used = 0
        pieces = _chopped(word, width) if fold and cell_len(word.rstrip()) > width else [word]
        for piece in pieces[:-1]:
            place += len(piece)
            starts.append(place)
        place += len(pieces[-1])
        used += cell_len(pieces[-1])
    return tuple(starts)


def _chopped(word: str, width: int) -> list[str]:
    """A word too long for any line in pieces, the last of which is more than the mark behind it."""
    pieces = [piece for piece in chop_cells(word, width) if piece] or [word]  # none where a joiner stands first
    while len(pieces) > 1 and pieces[-1][0] in CLOSING + ",.;:!?)]}" and len(pieces[-2]) > 1:
        last = pieces[-2][-1] + pieces[-1]
        if cell_len(last.rstrip()) > width:
            break
        pieces[-2:] = [pieces[-2][:-1], last]
    return pieces
