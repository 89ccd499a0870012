"""The user's command at the end of a run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from core.events import Done, Event, Failed, Stopped
from core.runs.telling import is_news, run_command, wishes
from core.settings import settings_path

DONE = Done(step=600, seconds=9)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = settings_path()
    path.parent.mkdir(parents=True)
    return path


def wish(settings: Path, command: str, more: str = "") -> None:
    settings.write_text(f"[notify]\ncommand = {command}\n{more}\n")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (DONE, True),
        (Failed(code="x", message="y"), True),
        (Stopped(step=1, saved=True, reason="terminated"), True),
        (Stopped(step=1, saved=True), False),
        (Stopped(step=1, saved=True, reason="background"), False),
    ],
)
def test_an_end_that_a_person_asked_for_is_no_news(event: Event, told: bool) -> None:
    assert is_news(event) is told


def test_the_command_learns_which_run_ended_how_and_where(settings: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    wish(settings, f"""["sh", "-c", 'echo "$DBTUI_RUN $DBTUI_STATE $DBTUI_STEP" > {said}']""")
    assert run_command("clock", DONE, tmp_path / "log") is None
    assert said.read_text() == "clock done 600\n"
    assert run_command("clock", Failed(code="x", message="y"), tmp_path / "log") is None
    assert said.read_text() == "clock failed \n"


def test_no_shell_reads_the_command(settings: Path, tmp_path: Path) -> None:
    wish(settings, "'echo $HOME; touch it'")
    assert run_command("clock", DONE, tmp_path / "log") is None
    assert (tmp_path / "log").read_text() == "$HOME; touch it\n"


def test_a_command_that_fails_or_is_missing_is_told(settings: Path, tmp_path: Path) -> None:
    wish(settings, "'false'")
    failed = run_command("clock", DONE, tmp_path / "log")
    assert failed is not None and "code 1" in failed.text
    wish(settings, "'no-such-program-here'")
    missing = run_command("clock", DONE, tmp_path / "log")
    assert missing is not None and "No such file" in missing.text
    wish(settings, '"unfinished \'quote"')
    broken = run_command("clock", DONE, tmp_path / "log")
    assert broken is not None and broken.code == "notify.setting"
    wish(settings, "7")
    assert wishes().trouble is not None


def test_settings_that_cannot_be_read_are_told(settings: Path, tmp_path: Path) -> None:
    wish(settings, "touch it")
    unread = run_command("clock", DONE, tmp_path / "log")
    assert unread is not None and unread.code == "settings.unreadable" and "line 2" in unread.text


def test_a_slow_command_is_left_to_itself(settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.telling.PATIENCE_SECONDS", 0.2)
    said = tmp_path / "said"
    program = f"import time, pathlib; time.sleep(1); pathlib.Path({str(said)!r}).touch()"
    wish(settings, f'["{sys.executable}", "-c", "{program}"]')
    began = time.monotonic()
    assert run_command("clock", DONE, tmp_path / "log") is None
    assert time.monotonic() - began < 0.9
    deadline = time.monotonic() + 20
    while not said.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said.exists()


def test_silenced_or_unset_runs_nothing(settings: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    wish(settings, f"'touch {said}'", "silent = true")
    assert run_command("clock", DONE, tmp_path / "log") is None and wishes().silent
    settings.write_text("notify = 3\n")
    assert run_command("clock", DONE, tmp_path / "log") is None
    settings.unlink()
    assert run_command("clock", DONE, tmp_path / "log") is None
    assert not said.exists()
