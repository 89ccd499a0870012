"""What a terminal says of itself when it is asked, told apart from keys.

Secondary device attributes (`CSI > c`, https://invisible-island.net/xterm/ctlseqs/ctlseqs.html): the answer has the
shape of a key's escape sequence, so it may come late, and nothing waits for it. One that a slow line tears apart for
longer than Textual waits for the rest of a key is not known for an answer, as no torn key is.
Leans on a private name of textual 8.2.8: `XTermParser._sequence_to_key_events`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from textual import events
from textual._xterm_parser import XTermParser
from textual.keys import Keys

QUESTION = "\x1b[>c"
_ANSWER = re.compile(r"\x1b\[>([\d;]*)c")


class Parser(XTermParser):
    """Keys, and answers to `QUESTION`: `on_answer` is given the numbers of each, none where the terminal names none."""

    def __init__(self, on_answer: Callable[[tuple[int, ...]], None], debug: bool = False) -> None:
        super().__init__(debug)
        self._on_answer = on_answer

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        answer = _ANSWER.fullmatch(sequence)
        if answer is None:
            return super()._sequence_to_key_events(sequence, alt)
        self._on_answer(tuple(int(number) for number in answer[1].split(";") if number))
        return [events.Key(Keys.Ignore, sequence)]
