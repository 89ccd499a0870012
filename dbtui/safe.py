"""Foreign strings, made fit to be shown: file names, prompts, what libraries say.

A terminal obeys what it is sent. ESC, OSC 52, U+009B or a right-to-left override in a file name could write to the
clipboard, move the cursor or forge a line, so everything that does not come from our own source passes through here.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import replace
from pathlib import Path, PurePath

from core.texts import Message

_SHOWN_AS_THEY_ARE = "\u200c\u200d"
"""Zero-width joiners: format characters that spell Persian, Hindi and emoji."""

_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Control, format, surrogate, line and paragraph separator."""


def safe(text: object) -> str:
    """`text` in one line, with control characters as visible escapes: `\\x1b`, `\\n`, `\\u202e`.

    Bytes of a file name that are no UTF-8 (surrogates in Python) are shown as the bytes they are: `\\xff`.
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(_visible(character) for character in plain)


def shown_path(path: PurePath) -> str:
    """Where something lies, with `~` for one's own folder."""
    own = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib's own raises where there is none
    return safe(Path("~", path.relative_to(own)) if path.is_relative_to(own) else path)


def safe_lines(text: object) -> str:
    """The same for a text of several lines: its line ends stay."""
    return "\n".join(safe(line) for line in str(text).split("\n"))


def safe_message(said: Message) -> str:
    """A message as one paragraph: its own text as it was written, the values in it made safe."""
    return str(replace(said, values={name: _safe_value(value) for name, value in said.values.items()}))


def _safe_value(value: object) -> object:
    return safe(value) if isinstance(value, (str, PurePath, BaseException)) else value


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _OBEYED or character in _SHOWN_AS_THEY_ARE:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
