"""What the tests of several screens and commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import encode
from core.languages import LANGUAGES, texts_of
from core.runs.folder import Run
from core.texts import use_language
from dbtui.__main__ import main
from dbtui.actions import relabel
from dbtui.mended_textual import mend_textual
from dbtui.widths import break_lines_between_characters
from tests.dbtui.app_driving import imagined

Said = pytest.CaptureFixture[str]

# parts of the app that are tested by themselves are drawn as in the whole
break_lines_between_characters()
mend_textual()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the runs, not yet made; the working directory is the one above it."""
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture(params=LANGUAGES)
def spoken(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every language in turn."""
    use_language(texts_of(request.param))
    relabel()
    yield request.param
    use_language(None)
    relabel()


@pytest.fixture
def make_run(home: Path) -> Callable[[str], Run]:
    def make(name: str, *events: Any) -> Run:
        run = Run.create(home, with_changes(RunConfig(), {"model.name": name}), "0.1.0")
        run.journal_path.write_text("".join(encode(event) + "\n" for event in events))
        return run

    return make


@pytest.fixture
def pictures(home: Path) -> Path:
    folder = home.parent / "pictures"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (64, 64), (number * 40, 0, 0)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the wizard sees of the world is imagined."""
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)


def write_new(*more: str) -> int:
    return main(["new", "clock", "--preset", "face", "--source", "tiny", "--instance", "pictures",
                 "--identifier", "ohwx", "--class", "alarm clock", *more])  # fmt: skip
