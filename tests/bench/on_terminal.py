"""A program on a pseudo-terminal, as the benchmarks of the app start and read it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

_ESCAPE = re.compile(rb"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()].|\x1b[=>]")


class OnTerminal:
    """Starts `command` on a terminal of (columns, rows). Times are those of `time.monotonic`."""

    def __init__(self, command: Sequence[str], size: tuple[int, int]) -> None:
        self.master, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.began = time.monotonic()
        self.taken = 0
        self._unseen = b""
        self.child = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(theirs)

    def read(self, seconds: float, most: int = 65536) -> bytes:
        """What it sends next, within so many seconds; empty where there was nothing."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            got = os.read(self.master, most)
        except OSError:  # it has closed its end
            return b""
        self.taken += len(got)
        return got

    def until(self, shows: str, seconds: float) -> float:
        """Read until it has drawn `shows`; the moment. `TimeoutError` where it does not in so many seconds."""
        deadline, wanted = time.monotonic() + seconds, shows.encode()
        while time.monotonic() < deadline:
            self._unseen += self.read(0.05)
            plain = _ESCAPE.sub(b"", self._unseen)
            if wanted in plain:
                self._unseen = b""
                return time.monotonic()
            self._unseen = self._unseen[-200_000:]
        raise TimeoutError(f"{shows!r} was not drawn within {seconds} s")

    def drain(self, seconds: float) -> None:
        """Read and forget for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)
        self._unseen = b""

    def press(self, keys: bytes) -> float:
        """Type; the moment."""
        os.write(self.master, keys)
        return time.monotonic()

    def end(self) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self.master)
