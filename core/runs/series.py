"""Figures over steps, as a curve is drawn of them."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right

_SMOOTHING = 0.98


class Series:
    """Points in order of step; figures that are not numbers leave no point."""

    def __init__(self) -> None:
        self.steps = array("q")
        self.values = array("d")

    def add(self, step: int, value: float | None) -> None:
        if value is not None and math.isfinite(value):
            self.steps.append(step)
            self.values.append(value)

    def drop_after(self, step: int) -> None:
        end = bisect_right(self.steps, step)
        del self.steps[end:], self.values[end:]

    def thinned(self, columns: int) -> tuple[list[int], list[float]]:
        """At most two points for each of `columns` equal spans of steps: its lowest and its highest."""
        count = len(self.steps)
        if count <= 2 * columns:
            return list(self.steps), list(self.values)
        first, span = self.steps[0], self.steps[-1] - self.steps[0] + 1
        steps: list[int] = []
        values: list[float] = []
        start = 0
        for column in range(1, columns + 1):
            end = bisect_left(self.steps, first + span * column / columns, start)
            if end > start:
                part = self.values[start:end]
                low, high = part.index(min(part)), part.index(max(part))
                for place in sorted({low, high}):
                    steps.append(self.steps[start + place])
                    values.append(part[place])
            start = end
        return steps, values


class Mean:
    """Exponential mean without the pull to zero at its start (Kingma and Ba 2014, section 3)."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, value: float) -> float:
        self._sum = _SMOOTHING * self._sum + (1 - _SMOOTHING) * value
        self._weight = _SMOOTHING * self._weight + (1 - _SMOOTHING)
        return self._sum / self._weight
