"""Where every error ends: one paragraph for people on stderr, and the exit code.

0 done, 1 failed while running, 2 refused before anything started, 3 stopped by the user with the state kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable

from core.reasons import of_system
from core.texts import Message, UserError, headed, message, say
from dbtui.safe import safe, safe_lines, safe_message

DONE, FAILED, REFUSED, STOPPED = 0, 1, 2, 3
DUMB = ("dumb", "unknown")
"""Values of TERM for terminals that only take lines."""


def guarded(action: Callable[[], int], debug: bool) -> int:
    """The exit code of `action`; whatever it raises is said on stderr, with its traceback if `debug`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = action()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        complain(say("stopped.bare", "Stopped."))
        return STOPPED
    except BrokenPipeError:
        # The reader (`dbtui runs | head`) has seen enough. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if debug:
            print(safe_lines(traceback.format_exc()), file=sys.stderr)
        complain(_paragraph(error))
        return REFUSED if isinstance(error, UserError) else FAILED


def needs_terminal() -> None:
    """Refuse to open the app where there is no terminal to draw it on. Raises `UserError`."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "app.no-terminal",
            "dbtui opens an app, and there is no terminal here to show it on.",
            mend="In scripts use its commands: `dbtui --help` lists them.",
        )
    if os.environ.get("TERM") in DUMB:
        raise UserError(
            "app.dumb-terminal",
            "This terminal (TERM={term}) cannot place text, and the app needs that.",
            mend="The commands work in it, `dbtui demo --headless`, `dbtui new`, `dbtui train`, `dbtui runs`: "
            "`dbtui --help` lists all. If it can do more than it says: TERM=xterm-256color dbtui.",
            term=os.environ["TERM"],
        )


def complain(paragraph: str) -> None:
    """Say `paragraph`, which is safe to show, on stderr; to nobody if the terminal has gone. Commands in it are written
    so that they work here.
    """
    from dbtui.commandline import as_typed_here
    from dbtui.printing import wrapped

    with contextlib.suppress(OSError):
        print(wrapped(as_typed_here(paragraph), sys.stderr), file=sys.stderr, flush=True)


def _paragraph(error: Exception) -> str:
    from core.config.findings import ConfigError

    if isinstance(error, ConfigError):
        lines = []
        for finding in error.findings:
            lines.append(f"  {headed(safe(finding.field), safe_message(finding.message))}")
            lines += [f"    → {safe(fix.label.text)}" for fix in finding.fixes]
        first = safe(error.message.text.partition("\n")[0])
        return "\n".join([first, *lines])
    if isinstance(error, UserError):
        return safe_message(error.message)
    return safe_message(_unforeseen(error))


def _unforeseen(error: Exception) -> Message:
    if isinstance(error, OSError) and error.strerror:
        place = say("system.place", "{path}: ", path=error.filename) if error.filename is not None else ""
        return message("system.error", "{place}{reason}.", mend="Mend that and try again.",
                       place=place, reason=of_system(error))  # fmt: skip
    return message(
        "program.fault",
        "This is a fault of dbtui itself: {kind}: {reason}.",
        mend="The same command with --debug shows where; please report it with that output.",
        kind=type(error).__name__,
        reason=str(error).rstrip("."),
    )
