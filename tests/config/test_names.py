from __future__ import annotations

import pytest

from core.config.names import numbered
from core.config.options import LONGEST_NAME


@pytest.mark.parametrize(
    ("name", "taken", "free"),
    [
        ("clock", {"clock"}, "clock-2"),
        ("clock", {"clock", "clock-2"}, "clock-3"),
        ("run-1", {"run-1"}, "run-2"),
        ("run-1", {"run-1", "run-2"}, "run-3"),
        ("run-2", {"run-2"}, "run-3"),
        ("x" * LONGEST_NAME, set(), "x" * (LONGEST_NAME - 2) + "-2"),
    ],
)
def test_the_next_number_that_is_not_taken_is_counted_on(name: str, taken: set[str], free: str) -> None:
    assert numbered(name, taken.__contains__) == free
