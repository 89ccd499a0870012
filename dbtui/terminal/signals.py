"""What signals mean while the app runs.

SIGHUP: the terminal has gone; the screen ends, training goes on. SIGTERM: save and end. A second SIGTERM, or Ctrl+C
once the screen has ended: end now; the last good state is on disk. Inside the app Ctrl+C is a key and no signal;
SIGINT from outside does what the key does.

The handlers are set with `signal.signal`: unlike those of an event loop they run even while the loop is blocked.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@contextmanager
def handled(
    *, hang_up: Callable[[], None], terminate: Callable[[], None], interrupt: Callable[[], None]
) -> Iterator[None]:
    """Call these in the main thread, between two of its instructions, while the context is open.

    A signal that was ignored when the process started (`nohup`) stays ignored.
    """
    wanted = dict(zip(SIGNALS, (hang_up, terminate, interrupt), strict=True))
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        wanted[signal.Signals(number)]()

    for number in SIGNALS:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])
