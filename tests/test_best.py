"""The mark of the best step: remembered, taken away, and no crash for whatever stands in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.best import FILE, best_step, mark_best


def test_a_mark_is_remembered_and_taken_away(tmp_path: Path) -> None:
    assert best_step(tmp_path) is None
    mark_best(tmp_path, 300)
    assert best_step(tmp_path) == 300
    mark_best(tmp_path, 0)
    assert best_step(tmp_path) == 0
    mark_best(tmp_path, None)
    mark_best(tmp_path, None)
    assert best_step(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"step": true}', '{"step": "3"}', '{"step": -1}', "\xff", "[" * 9999]
)
def test_a_damaged_file_counts_as_no_mark(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    assert best_step(tmp_path) is None
