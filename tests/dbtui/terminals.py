"""A pseudo-terminal with a program of ours on it, as a person has one before them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping

from tests.runs.conftest import ROOT

UNSET = ("COLUMNS", "LINES", "NO_COLOR", "DBTUI_LANGUAGE", "LC_ALL")


class Terminal:
    """Python with these arguments on 80 by 24 cells; `output` is what it has sent so far."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.output = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            self._become(arguments, environment)
        self.resize(24, 80)

    def _become(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        os.chdir(ROOT)
        for name in UNSET:
            os.environ.pop(name, None)
        os.environ.update({"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
                           "LANG": "C.UTF-8", **environment})  # fmt: skip
        os.execv(sys.executable, [sys.executable, *arguments])

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float) -> None:
        """Take what it sends for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.master], [], [], min(left, 0.05))[0]:
                try:
                    self.output += os.read(self.master, 65536)
                except OSError:
                    return
