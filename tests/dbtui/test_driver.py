"""What the driver tells of a terminal that reads slowly."""

from __future__ import annotations

import asyncio
import os
from queue import Queue
from types import SimpleNamespace
from typing import Any

from dbtui.app import DbtuiApp
from dbtui.terminal.driver import LastingDriver
from dbtui.terminal.output import Terminal


async def test_a_terminal_that_has_caught_up_is_not_behind_any_more(tmp_path: Any) -> None:
    """Whoever draws less while it is behind would else never draw again: the dropped frame waits for the next one."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    driver = LastingDriver(DbtuiApp(tmp_path), terminal=Terminal(descriptor), on_lost=lambda: None)
    drawn: list[bool] = []
    driver._draw_anew = lambda: drawn.append(True)  # type: ignore[method-assign]
    queue: Queue[str] = Queue(maxsize=1)
    driver._writer_thread = SimpleNamespace(_queue=queue)  # type: ignore[assignment]
    driver.write("a frame")
    driver.write("one that has no room")
    assert driver.is_behind
    queue.get_nowait()
    assert not driver.is_behind
    driver.write("the next one")
    await asyncio.sleep(0)
    assert drawn == [True] and queue.get_nowait() == "the next one"
    os.close(descriptor)
