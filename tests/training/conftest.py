from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.runs import draw_pictures


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures to learn from."""
    return draw_pictures(tmp_path_factory.mktemp("data") / "instance", 4)
