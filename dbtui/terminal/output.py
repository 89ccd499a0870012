"""Nothing but the app writes on the screen.

Textual catches `print`, but stream handlers made earlier, C code and child processes write to file descriptors 1 and 2
and would tear the screen. While the app runs, both lead to a log file; the app keeps a descriptor of its own to the
terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.runs.output import captured_output, open_log

STANDARD_OUTPUT, STANDARD_ERROR = 1, 2


class Terminal:
    """The person's terminal, by a descriptor that nobody else knows.

    Writing never raises: a terminal that went away takes nothing more, and `lost` says so.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lost = False

    def write(self, text: str) -> None:
        """Write all of `text`; blocks while the terminal does not read."""
        data = memoryview(text.encode("utf-8", "replace"))
        while data and not self.lost:
            try:
                data = data[os.write(self.descriptor, data) :]
            except OSError:
                self.lost = True

    def flush(self) -> None:
        """Nothing is held back; `write` hands everything to the system at once."""

    def fileno(self) -> int:
        return self.descriptor

    def isatty(self) -> bool:
        return os.isatty(self.descriptor)

    @property
    def encoding(self) -> str:
        return "utf-8"


@contextmanager
def kept_for_the_app(log: Path) -> Iterator[Terminal]:
    """Lead descriptors 1 and 2 (and with them what C code and children print) to the file `log`; yields the terminal.

    On leaving they lead back to it. If it has gone, they lead nowhere: an error at the last flush of a program that
    did all it should would spoil its exit code. Raises `UserError` if the log cannot be opened.
    """
    with captured_output(log) as descriptor:
        terminal = Terminal(descriptor)
        try:
            yield terminal
        finally:
            lost = terminal.lost
            terminal.lost = True  # the descriptor is about to be closed; nobody may write to its number any more
    if lost:
        _lead_to(Path(os.devnull))


def lead_output_to(log: Path) -> None:
    """Within `kept_for_the_app`: from now on what libraries print goes to the file `log`. Raises `UserError`."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            stream.flush()
    _lead_to(log)


def _lead_to(path: Path) -> None:
    target = open_log(path)
    for number in (STANDARD_OUTPUT, STANDARD_ERROR):
        os.dup2(target, number)
    os.close(target)
