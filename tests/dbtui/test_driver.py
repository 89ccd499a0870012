"""What the driver tells of a terminal that reads slowly."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from pathlib import Path
from queue import Queue
from types import SimpleNamespace

import pytest
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key

from dbtui.app import DbtuiApp
from dbtui.terminal.answers import QUESTION, Parser
from dbtui.terminal.driver import LastingDriver
from dbtui.terminal.output import Terminal


async def test_a_terminal_that_has_caught_up_is_not_behind_any_more(tmp_path: Path) -> None:
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


def test_the_answer_of_a_terminal_is_no_key_even_if_it_comes_in_pieces() -> None:
    answers: list[tuple[int, ...]] = []
    parser = Parser(answers.append)
    typed = [event for piece in ("a\x1b[>1;4000", ";41c\x1b[A", "\x1b[>cb") for event in parser.feed(piece)]
    assert answers == [(1, 4000, 41), ()]
    assert [event.key for event in typed if isinstance(event, Key)] == ["a", "up", "b"]


@pytest.mark.parametrize(("term", "asked"), [("xterm-kitty", True), ("xterm-256color", False)])
async def test_kitty_is_asked_which_it_is_and_pictures_are_drawn_anew_when_it_has_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, term: str, asked: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    heard: list[tuple[int, ...]] = []
    driver = LastingDriver(DbtuiApp(tmp_path), terminal=Terminal(os.dup(theirs)), on_lost=lambda: None,
                           on_answer=lambda: heard.append(driver.said))  # fmt: skip
    driver.fileno = theirs
    monkeypatch.setattr(LinuxDriver, "start_application_mode", lambda self: None)
    wrote: list[str] = []
    monkeypatch.setattr(driver, "write", wrote.append)
    driver.start_application_mode()
    assert (QUESTION in wrote) == asked and not driver.said
    os.write(ours, b"\x1b[>1;4000;41c")
    reader = asyncio.create_task(asyncio.to_thread(driver.run_input_thread))
    while not heard:
        await asyncio.sleep(0.01)
    driver.exit_event.set()
    await reader
    assert heard == [(1, 4000, 41)]
    os.close(ours)
