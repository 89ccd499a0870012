"""What the app says of an error: a person's own in full, the system's by file and reason, a mistake in the program as
what it is, with its traceback in `app.log`.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from core.reasons import of_system
from core.texts import UserError, message
from dbtui.safe import safe_lines, safe_message


def told(error: BaseException, home: Path) -> str:
    """One paragraph, safe to show. `home` is where `app.log` lies."""
    if isinstance(error, UserError):
        return safe_message(error.message)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return safe_message(message("system.error", "{place}{reason}.", mend="Mend that and try again.",
                                    place=place, reason=of_system(error)))  # fmt: skip
    print(safe_lines("".join(traceback.format_exception(error))), file=sys.stderr)
    return safe_message(message(
        "app.fault", "This is a fault of dbtui itself: {kind}: {reason}.",
        mend="Please report it with what {log} says of it.",
        kind=type(error).__name__, reason=str(error).rstrip("."), log=home / "app.log"))  # fmt: skip
