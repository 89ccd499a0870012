"""Where a line of a text may end: between words; in Chinese anywhere but within words that our texts use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from core.languages.words import WORDS

IDEOGRAPH = "\u2e80-\u2fff\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff"
CLOSING = "、。，．；：？！）］｝〉》」』】〕…—～／”’·％"
_OPENING = "（［｛〈《「『【〔“‘"
MARKS = "、。，．；：？！（）［］｛｝〈〉《》「」『』【】〔〕"
_LATIN = rf"(?:[^\s`{IDEOGRAPH}{MARKS}“”‘’(\[{{]|[(\[{{](?![{IDEOGRAPH}])|’(?=\w))+"
_CLOSED = rf"(?:[{CLOSING})\]}}]|[,.;:!?%/]+(?=$|[\s{IDEOGRAPH}{CLOSING}{_OPENING}]))*"
_UNIT = r"(?:s|ms|min|h|bytes|[kMGT]B|px|°C|W|%)(?!\w)"
_MEASURED = re.compile(rf"\d (?={_UNIT})")
_LABELLED = re.compile(rf"(?<![^,;:·(] )(?<!\w)[A-Za-z]+ \d[\d.,]*.{_UNIT}")
_MEASURE_WORDS = "秒分时天步轮次张个条行项种位份倍批组页像核"
_COUNTED = rf"\d[\d.,/]*(?: {_UNIT}| ?[{_MEASURE_WORDS}])"
_KEY = rf"(?:[a-z]|F\d+) [{IDEOGRAPH}]"
_LABEL = rf"(?<![^，、。；：·（\s])[{IDEOGRAPH}]{{1,5}}[ \u00a0](?:{_COUNTED}|\d[\d.,/%]*(?:e-?\d+)?)"
_LONE = rf"`[^`]*`|[-_.](?: [-_.])+|{_COUNTED}|{_KEY}|{'|'.join(WORDS)}|[{IDEOGRAPH}]|{_LATIN}"
_FRAME = rf"\s*(?:[{_OPENING}(\[{{]*(?:%s){_CLOSED}|\S)\s*"
_WORD, _APART = (re.compile(_FRAME.replace("%s", core)) for core in (f"{_LABEL}|{_LONE}", _LONE))
PART = re.compile(r"[/\\_-]+(?=\w)")
_FOLDER = re.compile(r"[/\\]+(?=\w)")
_SPACED = re.compile(r"\s*\S+\s*")
CHINESE = re.compile(f"[{IDEOGRAPH}{MARKS}]")


def together(text: str, width: int) -> str:
    """Without the spaces between numbers and their units, and in a list before them; as long as `text`."""
    text = _MEASURED.sub(lambda found: f"{found[0][:-1]}0", text)
    return _LABELLED.sub(lambda found: found[0].replace(" ", "0" if len(found[0]) <= width else " "), text)


def words_of(text: str, width: int, cell_len: Callable[[str], int], fold: bool = True) -> list[str]:
    """How `text` is parted: what stays on one line of `width` cells, without `fold` however long it is. As long as
    `text` all together; what stands in them may be another character (see `together`).
    """
    words: list[str] = []
    for found in _WORD.findall(text) if CHINESE.search(text) else _SPACED.findall(together(text, width)):
        for lone in [found] if cell_len(found.rstrip()) <= width else _APART.findall(found):
            for word in [lone] if cell_len(lone.rstrip()) <= width else _SPACED.findall(lone) or [lone]:
                words += [word] if not fold or cell_len(word.rstrip()) <= width else _parts(word, width, cell_len)
    if len(words) > 1 and len(re.findall(f"[{IDEOGRAPH}]", words[-1])) == 1:
        last = "".join(words[-2:])
        words[-2:] = [last] if cell_len(last.rstrip()) <= width else words[-2:]
    return words


def _parts(word: str, width: int, cell_len: Callable[[str], int]) -> list[str]:
    """A path behind each slash; a name in it, or one of many words, that is longer than a line behind each dash."""
    folders = _behind(_FOLDER, word)
    return [part for name in folders for part in ([name] if cell_len(name) <= width else _behind(PART, name))]


def _behind(mark: re.Pattern[str], word: str) -> list[str]:
    ends = [found.end() for found in mark.finditer(word)]
    return [word[start:end] for start, end in zip([0, *ends], [*ends, len(word)], strict=True)]


def in_lines(text: str, width: int) -> list[str]:
    """`text` in lines of `width` cells, for a file: what is longer than a line is broken nowhere."""
    lines, place = [""], 0
    for part in words_of(text, width, _cells, fold=False):
        word = text[place : place + len(part)]
        place += len(part)
        if lines[-1] and _cells(lines[-1] + word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def _cells(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)
