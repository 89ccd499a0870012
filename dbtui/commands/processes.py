"""Several processes that train one run: how many, whoever starts them, and the part of each but the first."""

from __future__ import annotations

import os
import time

from core.place import ALONE, Place, place_in
from core.texts import UserError
from dbtui.boundary import FAILED, STOPPED, complain
from dbtui.safe import safe_message
from dbtui.terminal.signals import handled

POLL_SECONDS = 0.25
TWICE_SECONDS = 3.0
"""A launcher hands a signal on that the terminal or systemd has sent to everybody already, and so does the queue: so
soon after it is the same one.
"""


def place_of(processes: int | None) -> Place:
    """The place of this process where `--processes` asks for so many, or a launcher has said. `UserError` where the
    two differ.
    """
    given = place_in(os.environ)
    if given is ALONE:
        return ALONE if processes in (None, 1) else Place(count=processes or 1, local_count=processes or 1)
    if processes not in (None, given.count):
        raise UserError(
            "processes.twice", "A launcher started {count} processes, and --processes asks for {processes}.",
            mend="Leave --processes out: the launcher says how many.", count=given.count, processes=processes,
        )  # fmt: skip
    return given


def train_along(place: Place) -> int:
    """Train in any place but the first, until the run ends; returns the exit code. A signal is passed on to the first,
    a second one ends this process now.
    """
    from core.runs.helping import HelpingHandle

    asked: list[tuple[str, float]] = []

    def ask(reason: str) -> None:
        if asked and not is_same_signal(asked[0][1]):
            os._exit(FAILED)
        asked.append((reason, time.monotonic()))

    passed_on = False
    with handled(hang_up=lambda: None, terminate=lambda: ask("terminated"), interrupt=lambda: ask("user")):
        handle = HelpingHandle(place)
        while handle.running:
            handle.join(POLL_SECONDS)
            if asked and not passed_on:
                passed_on = handle.ask_to_stop(asked[0][0])
                if not passed_on:
                    os._exit(STOPPED)  # it has not met the others yet
    if handle.failure is not None:
        complain(safe_message(handle.failure))
    return handle.exit_code


def is_same_signal(first: float) -> bool:
    """Whether a signal now repeats one of that time (monotonic seconds), handed on by a launcher or the queue."""
    return time.monotonic() - first < TWICE_SECONDS
