"""What the app says of an error: a person's own in full, the system's by file and reason, a mistake in the program as
what it is, with its traceback in `app.log`.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from core.reasons import of_system
from core.runs.output import open_log
from core.texts import UserError, message, say
from dbtui.safe import safe_lines, safe_message


def told(error: BaseException, home: Path) -> str:
    """One paragraph, safe to show. `home` is where `app.log` lies."""
    if isinstance(error, UserError):
        return safe_message(error.message)
    if isinstance(error, OSError) and error.strerror:
        place = say("system.place", "{path}: ", path=error.filename) if error.filename is not None else ""
        return safe_message(message("system.error", "{place}{reason}.", mend="Mend that and try again.",
                                    place=place, reason=of_system(error)))  # fmt: skip
    log = home / "app.log"
    _write(safe_lines("".join(traceback.format_exception(error))), log)
    return safe_message(message(
        "app.fault", "This is a fault of dbtui itself: {kind}: {reason}.",
        mend="Please report it with what {log} says of it.",
        kind=type(error).__name__, reason=str(error).rstrip("."), log=log))  # fmt: skip


def _write(trace: str, log: Path) -> None:
    """Into the log itself: while a run trains here, stderr leads to the run's own."""
    try:
        with os.fdopen(open_log(log), "w") as file:
            file.write(f"{trace}\n")
    except (UserError, OSError):
        print(trace, file=sys.stderr)
