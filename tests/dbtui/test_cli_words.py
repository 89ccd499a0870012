"""The command line in Chinese: no word of typer's own is left in English, and English is as typer says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.languages import texts_of
from core.texts import use_language
from dbtui.__main__ import main

WRONG = {
    "--nope": "没有选项 --nope。是不是 --home？",
    "train -x": "没有选项 -x。",
    "train": "缺少参数“RUN.toml|任务名称”。",
    "train a --procesess 3": "没有选项 --procesess。是不是 --processes、--resume？",
    "train a b": "这里不该有 b：这个命令的写法是 `dbtui train [选项] {RUN.toml|任务名称}`。",
    "trian": "没有命令“trian”。是不是 train？",
    "queue nope": "没有命令“nope”。",
    "generate demo": "缺少选项 --prompt。",
    "generate demo --prompt": "选项 --prompt 后面要有一个值。",
    "bench --real=3": "选项 --real 不带值。",
    "bench --batch x": "--batch 的值无效：必须是整数。",
    "bench --seconds x": "--seconds 的值无效：必须是数。",
    "export x --step -1": "--step 的值无效：不能小于 0。",
    "generate demo --prompt x --steps 5000": "--steps 的值无效：不能大于 1000。",
}


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBTUI_LANGUAGE", "en")
    yield
    use_language(None)


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_with_a_line_is_said_in_chinese(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*line.split(), "--language=zh"]) == 2
    assert capsys.readouterr().err.startswith(f"{WRONG[line]}`dbtui ")


@pytest.mark.parametrize("command", ["", "train", "generate", "export", "queue", "queue add", "new", "attach", "stop"])
def test_help_has_none_of_typers_english_words(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help", "--language=zh"]) == 0
    said = capsys.readouterr().out
    assert said.strip().startswith(f"用法：dbtui {command}".strip())
    assert not re.search(r"\bNAME\b|\bname\b|\bPATH\b|range|list\[|\bstr\b|\bint\b", said)
    words = r"Usage|Option|Argument|Command|ARGS|Show|this|exit|required|default"
    assert not re.findall(words, re.sub(r"--[\w-]+|`[^`]*`|SECTION.OPTION|│ options ", "", said), re.IGNORECASE)


@pytest.mark.parametrize("command", ["new", "stop", "export", "attach"])
def test_the_name_of_a_run_is_written_alike_by_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert re.search(r"Usage: dbtui \w+ \[OPTIONS\] [{\[]?NAME", capsys.readouterr().out)


def test_no_line_of_the_help_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help", "--language=zh"])
    said = re.sub(r"[\s│]", "", capsys.readouterr().out)
    assert "什么也不用准备。" in said and "设置、系统区域设置。" in said


def test_a_group_without_a_command_shows_its_help_and_no_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue"]) == 2
    said = capsys.readouterr()
    assert "Usage: dbtui queue [OPTIONS] COMMAND [ARGS]..." in said.out and said.err == ""


def test_english_is_what_typer_says(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--help"])
    help_text = capsys.readouterr().out
    assert all(
        words in help_text for words in ("Usage: dbtui train [OPTIONS]", "Show this message and exit.", "[required]")
    )
    main(["trian"])
    assert capsys.readouterr().err == (
        "No such command 'trian'. Did you mean 'train'? `dbtui --help` shows what it takes.\n"
    )


def test_what_is_too_much_is_named_and_what_was_expected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attach", "a", "b", "c"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Not expected: b c. The command is `dbtui attach [OPTIONS] [NAME]`. ")


def test_every_complaint_in_the_table_has_an_example() -> None:
    from core.texts import in_force
    from dbtui.cli_words import _REASONS, _USAGE

    use_language(texts_of("zh"))
    said = " ".join(WRONG.values())
    left = {"command-missing", "finite"}  # the app opens without a command; an endless number is out of every range
    for table in (_USAGE, _REASONS):
        for key, english in table.english.items():
            words = max(re.split(r"\{[\w!]+\}", in_force(f"{table.prefix}.{key}", english)), key=len).strip(" ：。")
            assert key in left or words in said, key


def test_a_name_that_cannot_be_used_is_refused_with_one_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    new = ["new", "我的狗", "--instance", ".", "--source", "demo", "--preset", "object", "--class", "dog"]
    assert main([*new, "--language=zh"]) == 2
    said = capsys.readouterr().err
    assert "“任务名称”应为英文字母、" in said and "    → 改名为“dog”\n" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("generate demo --prompt x --steps ５０００", "--steps 的值无效：不能大于 1000。"),
        ("export x --step ２", "里没有任务“x”"),
        ("bench --batch ２ --batch ３x", "--batch 的值无效：必须是整数。"),
        ("bench --batch ２ --seconds ０．０１", "--seconds 的值无效：不能小于 0.1。"),
    ],
)
def test_numbers_may_be_full_width(line: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--home", str(tmp_path), "--language", "zh", *line.split()]) == 2
    assert said in capsys.readouterr().err
