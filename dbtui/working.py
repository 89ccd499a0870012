"""Screens whose work on the disk is done in threads: a slow disk holds nobody up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.screen import Screen

if TYPE_CHECKING:
    from dbtui.app import DbtuiApp

Result = TypeVar("Result")


class Working(Screen[None]):
    """`in_thread` for what is done, `ask` for what is read before a question."""

    _is_asking = False
    """Whether a question is on its way: no second one is asked meanwhile."""

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
        """`in_thread`, where `then` opens something over this screen: one at a time, and not over something else."""
        if self._is_asking:
            return
        self._is_asking = True

        def over() -> None:
            self._is_asking = False

        self.in_thread(work, lambda result: then(result) if self.app.screen is self else None, over)
