"""Names that nothing has yet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from core.config.options import LONGEST_NAME


def numbered(name: str, is_taken: Callable[[str], bool]) -> str:
    """`clock-2`, or the next number that is not taken; the number that `name` ends in is counted on, none put after it.

    `run-1` is followed by `run-2`.
    """
    stem = re.sub(r"-\d{1,3}$", "", name) or name
    candidates = (stem[: LONGEST_NAME - len(f"-{number}")] + f"-{number}" for number in itertools.count(2))
    return next(candidate for candidate in candidates if not is_taken(candidate))
