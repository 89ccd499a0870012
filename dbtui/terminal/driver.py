"""Textual's Linux driver, made to outlive its terminal.

Textual alone dies or hangs with its terminal: a closed one makes its writer thread fail and its input thread spin on
end-of-file; one that no longer reads (a half-open SSH connection) fills the writer's queue, and the event loop blocks
in it for ever. Here a frame that cannot be taken is dropped, and a terminal that has gone is reported once.

Leans on private names of textual 8.2.8: `_writer_thread._queue`, `_file`, `_key_thread`, `_run_input_thread`.
"""

from __future__ import annotations

import os
import selectors
import shutil
from codecs import getincrementaldecoder
from collections.abc import Callable
from queue import Empty, Full
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from dbtui.terminal.answers import QUESTION, Parser
from dbtui.terminal.output import Terminal

ASKED = "xterm-kitty"
"""$TERM of the terminal that is asked for its version: what it draws depends on that."""
LAST_WORDS_SECONDS = 2.0
"""How long a terminal that does not read is waited for when the app ends."""


class LastingDriver(LinuxDriver):
    """Writes to `terminal`; calls `on_lost` (from any thread, once) when it has gone, and `on_answer` in the app's
    thread when the terminal has said what it is: the numbers in `said`, which is empty until then.
    """

    def __init__(
        self, app: App[Any], *, terminal: Terminal, on_lost: Callable[[], None],
        on_answer: Callable[[], None] = lambda: None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(app, **options)
        self.said: tuple[int, ...] = ()
        self._on_answer = on_answer
        self._terminal = terminal
        self._file = terminal
        self._on_lost = on_lost
        self._lost_told = False
        self._stalled = False
        self._ending = False

    @property
    def is_behind(self) -> bool:
        """Whether the terminal has not yet taken what was drawn: a good moment to draw less. Where it has, what was
        dropped meanwhile is drawn anew with the next thing that is written; so that has to come.
        """
        return self._writer_thread is not None and not self._writer_thread._queue.empty()

    def write(self, data: str) -> None:
        """Queue `data`, or drop it where the terminal has gone or does not read; never blocks."""
        writer = self._writer_thread
        if self._terminal.lost or writer is None:
            if self._terminal.lost:
                self.lose()
            return
        if self._ending:
            self._put_at_any_cost(data)
            return
        if self._stalled:
            if not writer._queue.empty():
                return
            self._stalled = False
            self._loop.call_soon_threadsafe(self._draw_anew)
        try:
            writer._queue.put_nowait(data)
        except Full:
            self._stalled = True

    def lose(self) -> None:
        """Forget the terminal: drop all that is written from now on, end the input thread, tell `on_lost` once."""
        self._terminal.lost = True
        self.exit_event.set()
        if not self._lost_told:
            self._lost_told = True
            self._on_lost()

    def start_application_mode(self) -> None:
        self._ending = self._stalled = False
        super().start_application_mode()
        if os.environ.get("TERM") == ASKED:
            self.write(QUESTION)

    def stop_application_mode(self) -> None:
        self._ending = True
        super().stop_application_mode()

    def close(self) -> None:
        """End the writer; a terminal that takes nothing for two seconds is given up."""
        if self._writer_thread is not None:
            self._put_at_any_cost(None)
            self._writer_thread.join(LAST_WORDS_SECONDS)
            if self._writer_thread.is_alive():
                self._terminal.lost = True

    def run_input_thread(self) -> None:
        """Read keys until the app ends or the terminal does (end of file, or an error of the line)."""
        parser = Parser(self._was_answered, self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    try:
                        data = os.read(self.fileno, 4096)
                    except OSError:
                        data = b""
                    if not data:
                        self.lose()
                        return
                    text = decode(data)  # empty while a character is not yet complete; the parser takes "" for the end
                    for event in parser.feed(text) if text else ():
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def _was_answered(self, numbers: tuple[int, ...]) -> None:
        """Runs in the input thread."""
        self.said = numbers
        self._loop.call_soon_threadsafe(self._on_answer)

    def _get_terminal_size(self) -> tuple[int, int]:
        try:
            width, height = os.get_terminal_size(self._terminal.descriptor)
        except OSError:
            width = height = 0
        if width and height:
            return width, height
        return shutil.get_terminal_size()

    def _draw_anew(self) -> None:
        """Send the whole screen: frames were dropped, so what the terminal shows is not what it was told to change."""
        app = self._app
        if app._running and app._screen_stack:
            with app._context():
                app._display(app.screen, app.screen._compositor.render_full_update())

    def _put_at_any_cost(self, data: str | None) -> None:
        """Queue `data` even if older frames must be thrown away for it."""
        writer = self._writer_thread
        while writer is not None:
            try:
                writer._queue.put_nowait(data)  # type: ignore[arg-type]
                return
            except Full:
                try:
                    writer._queue.get_nowait()
                except Empty:
                    continue
