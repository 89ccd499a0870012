"""The one small file of settings, in which people write too."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import read_settings, remember, remembered, settings_path
from core.texts import UserError

WRITTEN = """# how the end of a run is told
[notify]
command = ["notify-send", "done"]  # a notice of the desktop
"""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = settings_path()
    path.parent.mkdir(parents=True)
    return path


def test_what_a_person_wrote_stays_as_it_is(settings: Path) -> None:
    settings.write_text(WRITTEN)
    remember(theme="dark")
    remember(theme="light", language="zh")
    assert settings.read_text().endswith(WRITTEN)
    notify = {"command": ["notify-send", "done"]}
    assert read_settings() == {"theme": "light", "language": "zh", "notify": notify}


@pytest.mark.parametrize("damaged", [b"[notify]\ncommand = notify-send\n", b"theme = 'dark'\ncommand = '\xff'\n"])
def test_a_file_that_cannot_be_read_is_never_written_over(settings: Path, damaged: bytes) -> None:
    settings.write_bytes(damaged)
    assert remembered("theme") is None
    for act in (lambda: remember(theme="dark"), read_settings):
        with pytest.raises(UserError) as error:
            act()
        assert error.value.code == "settings.unreadable" and "line 2" in str(error.value)
    assert settings.read_bytes() == damaged


def test_a_folder_that_cannot_be_written_is_told(settings: Path) -> None:
    settings.parent.rmdir()
    settings.parent.write_text("a file in the way")
    with pytest.raises(UserError):
        remember(theme="dark")


def test_a_byte_order_mark_is_no_fault(settings: Path) -> None:
    settings.write_bytes(b"\xef\xbb\xbftheme = 'dark'\n")
    assert remembered("theme") == "dark"
