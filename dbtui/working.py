"""Screens whose work on the disk is done in threads: a slow disk holds nobody up."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.screen import Screen

if TYPE_CHECKING:
    from dbtui.app import DbtuiApp

Result = TypeVar("Result")


class Working(Screen[None]):
    """`in_thread` for what is done, `ask` for what is read before a question."""

    _is_asking = False
    """Whether something is on its way for which nothing else may be begun: a question, a run."""

    @property
    def dbtui(self) -> DbtuiApp:
        return cast("DbtuiApp", self.app)

    def in_thread(
        self, work: Callable[[], Result], then: Callable[[Result], Any], over: Callable[[], None] = lambda: None
    ) -> None:
        """`then` what `work` returned, in the app; what it raises is said. `over` comes before either."""
        app = self.dbtui

        def answered(result: Result) -> Any:
            over()
            return then(result)

        def failed(error: Exception) -> None:
            over()
            app.say(error)

        def job() -> None:
            try:
                result = work()
            except Exception as error:  # said, and a mistake in the program as one
                app.call_later(failed, error)
                return
            app.call_later(answered, result)

        self.run_worker(job, thread=True, group="do", exit_on_error=False)

    def ask(self, work: Callable[[], Result], then: Callable[[Result], Any]) -> None:
        """`alone`, where `then` opens something over this screen: not over something else."""
        self.alone(work, lambda result: then(result) if self.app.screen is self else None)

    def alone(self, work: Callable[[], Result], then: Callable[[Result], Any]) -> None:
        """`in_thread`, one at a time: a key that is pressed twice does it once."""
        if self._is_asking:
            return
        self._is_asking = True

        def over() -> None:
            self._is_asking = False

        self.in_thread(work, then, over)

    _reads = False
    _reads_again = False
    _last_trouble = ""

    def read(self, work: Callable[[], Result], then: Callable[[Result], Any]) -> None:
        """`in_thread` for what is read again and again: one after the other, and once more after it where it was asked
        for meanwhile. What it raises is said once, not every time.
        """
        if self._reads:
            self._reads_again = True
            return
        self._reads, self._reads_again = True, False
        app = self.dbtui

        async def finished(error: Exception | None, answer: Callable[[], Any]) -> None:
            self._reads = False
            if not self.children:  # the screen is being taken away
                return
            trouble = repr(error) if error is not None else ""
            if error is not None and trouble != self._last_trouble:
                app.say(error)
            self._last_trouble = trouble
            if self._reads_again and self.is_attached:
                self.read(work, then)
            outcome = answer()
            if isawaitable(outcome):
                await outcome

        def job() -> None:
            try:
                result = work()
            except Exception as error:  # said, and a mistake in the program as one
                app.call_later(finished, error, lambda: None)
                return
            app.call_later(finished, None, lambda: then(result))

        self.run_worker(job, thread=True, group="look", exit_on_error=False)
