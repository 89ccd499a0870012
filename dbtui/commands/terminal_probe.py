"""Asks the terminal which graphics it shows. Only `dbtui doctor` does: an answer may come late on a slow link."""

from __future__ import annotations

import os
import re
import select
import termios
import time
import tty

ANSWER_SECONDS = 1.0
KITTY_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
"""kitty's graphics protocol: a 1 × 1 picture that is only asked about."""
VERSION_QUERY = b"\x1b[>c"
BOXES = (1, 4000, 27)
"""Up to this answer kitty draws boxes where the app's pictures stand: see `dbtui.widgets.graphics.PLACEHOLDERS`."""
ATTRIBUTES_QUERY = b"\x1b[c"
"""DA1, which every terminal answers: attribute 4 is sixel. It is asked last, so its answer ends the wait."""


def ask_for_graphics(read_from: int, write_to: int) -> list[str]:
    """The protocols that the terminal says it knows: `kitty graphics`, `sixel`. Leaves the terminal as it was."""
    before = termios.tcgetattr(read_from)
    try:
        tty.setraw(read_from)
        os.write(write_to, KITTY_QUERY + VERSION_QUERY + ATTRIBUTES_QUERY)
        answer = _read_answer(read_from)
    finally:
        termios.tcsetattr(read_from, termios.TCSAFLUSH, before)
    return protocols_in(answer)


def protocols_in(answer: bytes) -> list[str]:
    """What the terminal's answers mean, for the way in which this program draws."""
    known = []
    version = re.search(rb"\x1b\[>1;(4\d{3});(\d+)c", answer)
    draws_boxes = version is not None and (1, int(version[1]), int(version[2])) <= BOXES
    if re.search(rb"\x1b_Gi=31;OK\x1b\\", answer) and not draws_boxes:
        known.append("kitty graphics")
    attributes = re.search(rb"\x1b\[\?([\d;]*)c", answer)
    if attributes and b"4" in attributes[1].split(b";")[1:]:
        known.append("sixel")
    return known


def _read_answer(descriptor: int) -> bytes:
    answer = b""
    deadline = time.monotonic() + ANSWER_SECONDS
    while (left := deadline - time.monotonic()) > 0 and not re.search(rb"\x1b\[\?[\d;]*c", answer):
        if select.select([descriptor], [], [], left)[0]:
            answer += os.read(descriptor, 1024)
    return answer
