"""Python's collector of cyclic garbage, kept from walking through the same libraries and the same model for ever.

torch, diffusers, transformers and a model are 600,000 objects, and every full pass looks at each of them, while nothing
else of Python runs: 0.4 s each on the processor this was measured on, ten times while they load, and every two seconds
while an app draws. `gc.freeze` takes objects out of its sight (https://docs.python.org/3/library/gc.html#gc.freeze).
"""

from __future__ import annotations

import gc
from types import TracebackType
from typing import Any

OFTEN = 700, 10, 10
"""Python's own thresholds: while much is loaded, each full pass puts a little aside."""


class LongLived:
    """While a run lives every object is looked at by one full pass, not by the next ones: those find what is new. What
    has become garbage nevertheless stays until `release`.
    """

    def __init__(self) -> None:
        self._is_settled = False
        self._thresholds = gc.get_threshold()

    def __enter__(self) -> LongLived:
        gc.callbacks.append(self._was_collected)
        gc.set_threshold(*OFTEN)
        return self

    def settle(self) -> None:
        """What is there now stays, and what comes from now on is looked at: the first time that it is called."""
        if self._is_settled:
            return
        self._is_settled = True
        gc.callbacks.remove(self._was_collected)
        if gc.get_threshold() == OFTEN:  # else an app that ended meanwhile has set its own back
            gc.set_threshold(*self._thresholds)
        gc.collect()
        gc.freeze()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settle()

    def _was_collected(self, phase: str, about: dict[str, Any]) -> None:
        if phase == "stop" and about["generation"] == 2:
            gc.freeze()


def release() -> None:
    """A run is over, and nothing holds its model any more: find what of it is garbage, once; the libraries stay."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
