"""What the foot of a step says of a field where it has no room for all."""

from __future__ import annotations

import pytest

from dbtui.wizard.explaining import HINT_LINES, shortened


@pytest.mark.parametrize(
    "text", ["A word and another. " * 20, "一步一步地学习，每一步都看一张图片。" * 10, "word" * 100]
)
@pytest.mark.parametrize("width", [40, 76])
def test_a_text_that_is_too_long_ends_with_the_key_that_shows_the_rest(text: str, width: int) -> None:
    said = shortened(text, width)
    assert said.plain.endswith("… F1 shows all") and text.startswith(said.plain.partition("…")[0])
    assert len(said.wrap(width)) == HINT_LINES


def test_a_text_that_fits_is_whole() -> None:
    assert shortened("Two short sentences. They fit.", 76).plain == "Two short sentences. They fit."
