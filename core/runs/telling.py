"""A command of the user's when a run ends: `[notify] command = "…"` in the settings.

It gets the run's name, how it ended and its last step in its environment (`DBTUI_RUN`, `DBTUI_STATE`, `DBTUI_STEP`),
and runs without a shell: `command = ["sh", "-c", "…"]` is how to ask for one.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.events import Done, Event, Failed, Stopped
from core.reasons import of_system
from core.runs.output import open_log
from core.settings import read_settings
from core.texts import Message, UserError, message

SETTING = "notify"
PATIENCE_SECONDS = 3.0
"""How long a command is watched: what fails later than that is not told."""


@dataclass(frozen=True)
class Wishes:
    """What a person set: `silent` is no bell, no notice, no command."""

    command: tuple[str, ...] = ()
    silent: bool = False
    trouble: Message | None = None
    """What is wrong with the setting, if something is."""


def wishes() -> Wishes:
    """From the settings, read anew each time: a run may last for days."""
    try:
        held = read_settings().get(SETTING)
    except UserError as error:
        return Wishes(trouble=error.message)
    if not isinstance(held, dict):
        return Wishes()
    try:
        command = _split(held.get("command", ""))
    except ValueError as error:
        return Wishes((), bool(held.get("silent", False)), message(
            "notify.setting", "notify.command in the settings is no command: {reason}.",
            mend='Write it as "program argument" or as ["program", "argument"].', reason=error))  # fmt: skip
    return Wishes(command, bool(held.get("silent", False)))


def _split(command: Any) -> tuple[str, ...]:
    if isinstance(command, str):
        return tuple(shlex.split(command))
    if isinstance(command, Sequence) and all(isinstance(part, str) for part in command):
        return tuple(command)
    raise ValueError("it is neither a text nor a list of texts")


def is_news(event: Event) -> bool:
    """Whether the end of a run is told: not one that a person asked for, or that hands over to another process."""
    return isinstance(event, Done | Failed) or (
        isinstance(event, Stopped) and event.reason not in ("user", "background")
    )


def run_command(name: str, event: Event, log: Path) -> Message | None:
    """Run the user's command, if there is one, with what it prints going to `log`; what went wrong with it.

    It is waited for up to three seconds; one that takes longer goes on by itself.
    """
    wished = wishes()
    if wished.silent or wished.trouble is not None:
        return None if wished.silent else wished.trouble
    if not wished.command:
        return None
    step = getattr(event, "step", None)
    told = {"DBTUI_RUN": name, "DBTUI_STATE": event.kind, "DBTUI_STEP": "" if step is None else str(step)}
    program = wished.command[0]
    try:
        output = open_log(log)
        try:
            child = subprocess.Popen(
                wished.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **told},
                start_new_session=True, close_fds=True,
            )  # fmt: skip
        finally:
            os.close(output)
        code = child.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        return message("notify.not-started", "The command that tells of a run's end, {program}, could not be started: "
                       "{reason}.", mend="It stands under [notify] in the settings.", program=program,
                       reason=of_system(error))  # fmt: skip
    except UserError as error:
        return error.message
    if code == 0:
        return None
    return message("notify.failed", "The command that tells of a run's end, {program}, ended with code {code}.",
                   mend="What it said stands in {log}.", program=program, code=code, log=log)  # fmt: skip
