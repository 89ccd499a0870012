"""Everything that libraries print goes into the run's `train.log`, never onto the screen."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from core.files import explain

TRAINING_LOGGER = "dbtui.training"

_LIBRARIES = ("diffusers", "transformers")


def open_log(path: Path) -> int:
    """A file descriptor that appends to `path`. Raises `UserError`."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise explain(error, path) from error


@contextlib.contextmanager
def captured_output(log_path: Path) -> Iterator[int]:
    """Send file descriptors 1 and 2 (Python's, C's and children's output) to `log_path` while the block runs.

    Yields a duplicate of the original descriptor 2, for the screen; it is closed afterwards. For the whole process:
    one at a time. Raises `UserError` if the log cannot be opened.
    """
    log = open_log(log_path)
    _flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    try:
        for number, _ in kept:
            os.dup2(log, number)
        yield kept[1][1]
    finally:
        _flush()
        for number, original in kept:
            os.dup2(original, number)
            os.close(original)
        os.close(log)


@contextlib.contextmanager
def captured_logging(log_path: Path) -> Iterator[logging.Logger]:
    """Write Python's logging and warnings into `log_path` while the block runs; yields the trainer's own logger."""
    handler = _LogFile(log_path)
    root = logging.getLogger()
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield logging.getLogger(TRAINING_LOGGER)
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()


def quiet_libraries() -> None:
    """Take the handlers and progress bars away that diffusers and transformers put on the screen at import.

    Acts on what is imported already: call it after the trainer was imported and when a phase begins.
    """
    for library in _LIBRARIES:
        control = sys.modules.get(f"{library}.utils.logging")
        if control is not None:
            control.disable_progress_bar()
            control.disable_default_handler()
            control.enable_propagation()


class _LogFile(logging.StreamHandler):  # type: ignore[type-arg]
    """Appends lines to the log. A full disk loses lines of the log and nothing else."""

    def __init__(self, path: Path) -> None:
        super().__init__(os.fdopen(open_log(path), "w", encoding="utf-8", errors="backslashreplace"))
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def handleError(self, record: logging.LogRecord) -> None:
        """Python would print a traceback on the screen here; the journal tells of a full disk."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        super().close()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # closed by somebody, or its disk is full
                stream.flush()
