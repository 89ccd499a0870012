"""Questions that take a while, answered in a thread: the last one counts, answers to older ones are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from textual.app import App
from textual.timer import Timer

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Asker(Generic[Question, Answer]):
    """`work` runs in a thread, one at a time; `done` and `failed` run in the app.

    A question waits `patience` seconds for a newer one, so that typing does not ask at every key.
    """

    def __init__(
        self,
        app: App[Any],
        work: Callable[[Question], Answer],
        done: Callable[[Question, Answer], None],
        failed: Callable[[Exception], None],
        patience: float = 0.25,
    ) -> None:
        self._app, self._work, self._done, self._failed = app, work, done, failed
        self._patience = patience
        self._timer: Timer | None = None
        self._waiting: list[Question] = []
        self._busy = False

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._busy or bool(self._waiting)

    def ask(self, question: Question, *, at_once: bool = False) -> None:
        """Answer `question` unless a newer one comes first."""
        self._waiting = [question]
        if self._timer is not None:
            self._timer.stop()
        if at_once:
            self._start()
        else:
            self._timer = self._app.set_timer(self._patience, self._start)

    def _start(self) -> None:
        if self._busy or not self._waiting:
            return
        question = self._waiting.pop()
        self._busy = True
        threading.Thread(target=self._answer, args=(question,), daemon=True, name="wizard").start()

    def _answer(self, question: Question) -> None:
        try:
            answer = self._work(question)
        except Exception as error:
            self._app.call_later(self._finish, lambda raised=error: self._failed(raised))
            return
        self._app.call_later(self._finish, lambda: self._done(question, answer))

    def _finish(self, tell: Callable[[], None]) -> None:
        self._busy = False
        if not self._app.is_running:
            return  # the screens are being taken down
        if self._waiting:
            self._start()
        else:
            tell()
