"""The memory of a child process while it runs, read from outside; Linux only."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.events import Event, Phase, Step

EVERY = 0.02
"""Seconds between two looks."""


@dataclass
class Watched:
    """What a child took: `held` has (unix time, bytes in memory) of every look."""

    seconds: float = 0.0
    held: list[tuple[float, int]] = field(default_factory=list)

    @property
    def peak(self) -> int:
        return max((count for _, count in self.held), default=0)

    def between(self, start: float, end: float) -> int:
        """The most between two unix times; 0 where it was never looked at."""
        return max((count for moment, count in self.held if start <= moment < end), default=0)

    def by_phase(self, events: Iterable[Event]) -> list[tuple[str, float, int]]:
        """(phase, seconds, the most in it) in the order in which they came; each step is one of its own."""
        starts = [("starting", self.held[0][0])]
        for event in events:
            if isinstance(event, Phase) and event.name != starts[-1][0]:
                starts.append((event.name, event.time))
            elif isinstance(event, Step):
                starts.append((f"after step {event.step}", event.time))
        ends = [moment for _, moment in starts[1:]] + [self.held[-1][0] + EVERY]
        return [(name, end - start, self.between(start, end)) for (name, start), end in zip(starts, ends, strict=True)]


def watch(command: Sequence[str]) -> Watched:
    """Run a command to its end. Raises `CalledProcessError` where it fails."""
    watched, began = Watched(), time.time()
    process = subprocess.Popen(command, env=os.environ)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        found = re.search(r"VmRSS:\s*(\d+) kB", status.read_text())
        if found:
            watched.held.append((time.time(), int(found[1]) * 1024))
        time.sleep(EVERY)
    watched.seconds = time.time() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return watched
