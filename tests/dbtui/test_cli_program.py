"""The program as a whole: its options, errors and exit codes, and what it does not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.texts import UserError
from dbtui import __version__
from dbtui.__main__ import _split, main
from dbtui.boundary import complain, guarded

pytestmark = pytest.mark.usefixtures("home")

COMMANDS = (
    "new", "check", "train", "attach", "pause", "continue", "save", "sample", "stop", "runs", "delete", "export",
    "generate", "doctor", "bench", "options", "presets",
)  # fmt: skip


def in_a_child(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dbtui {__version__}\n"


def test_version_of_the_package_is_that_of_the_program() -> None:
    assert f'version = "{__version__}"' in (Path(__file__).parents[2] / "pyproject.toml").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["trian"], ["train"], ["train", "--nope"], ["stop", "a", "b"], ["--home"]])
def test_wrong_usage_is_one_paragraph_and_code_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(wrong) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "--help` shows" in said.err


def test_wrong_usage_with_control_characters_is_shown_safely(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["\x1b]0;gotcha\x07"]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "front", "rest"),
    [
        (["train", "x", "--home", "d"], {"--home": "d"}, ["train", "x"]),
        (["--home=d", "runs"], {"--home": "d"}, ["runs"]),
        (["runs", "--debug"], {"--debug": None}, ["runs"]),
        (["--home", "d", "--debug"], {"--home": "d", "--debug": None}, []),
        (["runs", "--language", "zh"], {"--language": "zh"}, ["runs"]),
        (["runs", "--", "--debug"], {}, ["runs", "--", "--debug"]),
        (["--home"], {}, ["--home"]),
    ],
)
def test_the_programs_own_options_may_stand_anywhere(
    given: list[str], front: dict[str, str | None], rest: list[str]
) -> None:
    assert _split(given) == (front, rest)


def test_home_after_the_command_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--home", str(tmp_path / "other")]) == 0
    assert str(tmp_path / "other") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("a", "{it} is gone.", mend="Find it.", it="ham\x1bster"), 2, "ham\\x1bster is gone. Find it."),
        (OSError(28, "No space left on device", "/x"), 1, "/x: No space left on device."),
        (ZeroDivisionError("division by zero"), 1, "a fault of dbtui itself: ZeroDivisionError: division by zero."),
        (KeyboardInterrupt(), 3, "Stopped."),
    ],
)  # fmt: skip
def test_errors_are_one_paragraph_and_their_exit_code(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    assert guarded(fail, debug=False) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_a_terminal_is_told_in_lines_that_end_between_words_and_a_command_stays_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    complain("The alarm clock was trained to its end. `dbtui export my-alarm-clock --step 40` writes it.")
    assert capsys.readouterr().err.splitlines() == [
        "The alarm clock was trained to its end.", "`dbtui export my-alarm-clock --step 40`", "writes it.",
    ]  # fmt: skip


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nothing", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_without_a_terminal_the_app_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "no terminal" in capsys.readouterr().err


def test_a_reader_that_left_early_is_no_fault(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    child = subprocess.run(
        [sys.executable, "-P", "-m", "dbtui", "options", "--json"],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)
    assert (child.returncode, child.stderr) == (1, "")


def test_folders_named_like_ours_in_the_current_directory_stand_in_for_nothing(tmp_path: Path) -> None:
    for name in ("core", "typer", "rich"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('shadowed')")
    child = in_a_child("-m", "dbtui", "runs", cwd=tmp_path)
    assert (child.returncode, child.stderr) == (0, "")


def test_a_core_earlier_on_the_path_stands_in_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "core").mkdir(parents=True)
    (tmp_path / "elsewhere" / "core" / "__init__.py").write_text("raise SystemExit('shadowed')")
    child = in_a_child("-P", "-m", "dbtui", "runs", cwd=tmp_path, PYTHONPATH=str(tmp_path / "elsewhere"))
    assert (child.returncode, child.stderr) == (0, "")


def test_the_way_to_the_app_imports_no_command_line_and_no_heavy_library(tmp_path: Path) -> None:
    script = """
import sys
import dbtui.__main__ as program, dbtui.boundary
dbtui.boundary.needs_terminal = lambda: None
import dbtui.app
dbtui.app.run_app = lambda home, attach=None: 0
assert program.main(["--home", "x"]) == 0
heavy = {"typer", "torch", "numpy", "PIL", "textual_plot", "textual_image", "diffusers", "transformers"}
print(sorted(heavy & set(sys.modules)))
"""
    child = in_a_child("-c", script, cwd=tmp_path)
    assert child.stdout.strip() == "[]", child.stderr


def test_no_command_line_imports_torch_before_it_is_needed(tmp_path: Path) -> None:
    script = """
import sys, importlib
import dbtui.cli
for name in ("bench", "check", "control", "doctor", "export", "generate", "new", "options", "runs", "train"):
    importlib.import_module(f"dbtui.commands.{name}")
print(sorted({"torch", "diffusers", "transformers"} & set(sys.modules)))
"""
    child = in_a_child("-c", script, cwd=tmp_path)
    assert child.stdout.strip() == "[]", child.stderr
