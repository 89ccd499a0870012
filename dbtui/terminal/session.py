"""The app from its first frame to the exit code of the process.

The training thread may outlive the screen: after a hang-up it trains on, after SIGTERM it saves. The main thread waits
for it here, where signals still reach it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.texts import say
from dbtui.boundary import FAILED, STOPPED
from dbtui.terminal.driver import LastingDriver
from dbtui.terminal.output import Terminal, kept_for_the_app
from dbtui.terminal.signals import handled

if TYPE_CHECKING:
    from textual.app import App


class Ending(Protocol):
    """`core.runs.pump.Ending`."""

    @property
    def exit_code(self) -> int: ...


class Training(Protocol):
    """What is needed of a `core.runs.launch.TrainingHandle`."""

    @property
    def running(self) -> bool: ...

    def request(self, command: str, **fields: Any) -> str: ...

    def join(self) -> Ending | None: ...

    def end_now(self) -> None: ...


class Session:
    """One run of the app in this terminal. `training()` is the training thread of the moment, if there is one;
    `deserted` is called when it has ended after a hang-up.
    """

    def __init__(
        self, app: App[Any], training: Callable[[], Training | None], deserted: Callable[[], None] = lambda: None
    ) -> None:
        self.app = app
        self.training = training
        self.deserted = deserted
        self.hung_up = False
        self.terminated = False
        self._driver: LastingDriver | None = None
        self._terminal: Terminal | None = None

    def run(self, log: Path) -> int:
        """Show the app until it ends, wait for the training, return the exit code.

        `log` takes what libraries print meanwhile. Raises `UserError` if it cannot be written.
        """
        with kept_for_the_app(log) as terminal:
            self._terminal = terminal
            self.app.driver_class = self._make_driver  # type: ignore[assignment]
            self.app.error_console.file = terminal  # type: ignore[assignment]
            # textual would throw away what is printed; the log is behind these two
            self.app._capture_stdout = sys.__stdout__  # type: ignore[assignment]
            self.app._capture_stderr = sys.__stderr__  # type: ignore[assignment]
            with handled(hang_up=self.hang_up, terminate=self.terminate, interrupt=self.interrupt):
                self.app.run()
                ending = self._await_training()
                if self.hung_up and not self.terminated:
                    self.deserted()
        if ending is not None:
            return ending.exit_code
        return STOPPED if self.terminated else self._app_code()

    def hang_up(self) -> None:
        """The terminal has gone: end the screen, let the training be. May come twice, from any thread."""
        self.hung_up = True
        if self._driver is not None:
            self._driver.lose()
        self._end_screen()

    def terminate(self) -> None:
        """Ask the training to save and end, then end the screen; the second time end this moment."""
        if self.terminated:
            self._end_now()
        self.terminated = True
        self._ask_to_stop()
        self._end_screen()

    def interrupt(self) -> None:
        """SIGINT: the key Ctrl+C while the screen is there, else like SIGTERM."""
        loop = self.app._loop
        if loop is None:
            self.terminate()
        else:
            loop.call_soon_threadsafe(partial(self.app.simulate_key, "ctrl+c"))

    def _make_driver(self, app: App[Any], **options: Any) -> LastingDriver:
        assert self._terminal is not None
        self._driver = LastingDriver(app, terminal=self._terminal, on_lost=self.hang_up,
                                     on_answer=self._terminal_answered, **options)  # fmt: skip
        return self._driver

    def _terminal_answered(self) -> None:
        """How it draws pictures may depend on what it has said of itself."""
        anew = getattr(self.app, "draw_pictures_anew", None)
        if anew is not None:
            anew()

    def _end_screen(self) -> None:
        loop = self.app._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.app.exit)

    def _ask_to_stop(self) -> None:
        training = self.training()
        if training is not None and training.running:
            training.request("stop", reason="terminated")

    def _await_training(self) -> Ending | None:
        """Wait for a training that is still there; how it ended, `None` if there was nothing to wait for.

        An app that ended otherwise than by a hang-up (a signal, a mistake in it) takes the training with it, saved.
        """
        training = self.training()
        if training is None or not training.running:
            return None
        if not self.hung_up:
            if not self.terminated:
                self.terminated = True
                self._ask_to_stop()
            assert self._terminal is not None
            words = say("session.ending", "Ending the step that runs, then saving. Ctrl+C ends at once.")
            self._terminal.write(f"{words}\n")
        return training.join()

    def _end_now(self) -> None:
        training = self.training()
        if training is not None and training.running:
            training.end_now()
        if self._driver is not None and self.app._loop is not None:
            self._driver.stop_application_mode()
            self._driver.close()
        os._exit(FAILED)

    def _app_code(self) -> int:
        value = self.app.return_value
        return value if isinstance(value, int) else self.app.return_code or 0
