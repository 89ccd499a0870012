"""Fixtures that every room's tests share."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# As in an environment that has been activated: commands that are told to people begin with `dbtui`.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

# Continuous integration judges a change: it tries the same examples each time. New ones are found at the desk.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _settings_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What whoever runs the tests has chosen for themselves changes no test, and no test changes it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / f"settings-{next(_NUMBERS)}"))


@pytest.fixture(scope="session")
def tiny_sd1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder with a tiny random SD1 pipeline (64 px). Never write into it: copy it first."""
    from tests.tiny import make_tiny_sd1

    return make_tiny_sd1(tmp_path_factory.mktemp("models") / "tiny-sd1")


@pytest.fixture(scope="session")
def tiny_of(tmp_path_factory: pytest.TempPathFactory, tiny_sd1: Path) -> Callable[[str], Path]:
    """Family's id → a diffusers folder with a tiny random pipeline (64 px). Never write into one: copy it first."""
    from tests.tiny import make_tiny

    made = {"sd1": tiny_sd1}

    def of(family: str) -> Path:
        if family not in made:
            made[family] = make_tiny(family, tmp_path_factory.mktemp("models") / f"tiny-{family}")
        return made[family]

    return of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that may take long begin first: at the end no core waits for the last of them."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
