"""One word for one thing in Chinese, and words that a Chinese reader would choose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config.options import Concept
from core.languages import VARIABLE, texts_of
from core.planning.checks.words import _rareness, not_english
from core.texts import UserError, filled, use_language
from dbtui.__main__ import main
from dbtui.app import DbtuiApp
from dbtui.monitor.state import Glance, state_line
from tests.languages import texts_in

OTHER_WORDS = {
    "对照任务": "对比任务",
    "从头重试": "从头训练",
    "一类主体": "一类概念",
    "等待的训练": "没有任务在排队",
    "“检查”页": "“核对”页",
    "没有人可以询问": "无法询问",
    "保存过 {": "{states}",
    "步休息": "步暂停",
    "离开程序": "退出程序",
    "离开 dbtui": "退出 dbtui",
    "四个页面会问您": "分四页填写",
    "当着您": "在您眼前",
    "不会丢失任何东西：": "不丢任何进度",
    "认作": "识别为",
    "分不成整批": "不能正好分成整批",
    "自己长相": "某一只特定的动物",
    "查找栏目": "查找参数",
    "旁边的小矩阵": "附加的小矩阵",
    "另一种噪声": "每一步的图片和噪声都不同",
    "{words} 对": "“{words}”对",
    "离开并丢弃": "放弃已输入的内容",
    "。它们和新的狗一起训练": "，和新的狗一起训练",
}
"""What no text says any more, beside what is said instead."""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv(VARIABLE, "zh")
    yield
    use_language(None)


@pytest.mark.parametrize("word", OTHER_WORDS)
def test_one_word_for_one_thing(word: str) -> None:
    assert not {key: text for key, text in texts_in("zh").items() if word in text}, f"→ {OTHER_WORDS[word]}"


def test_the_name_of_a_run_stands_in_quotes() -> None:
    told = ("home.", "last.", "leave.", "resume.", "queue.line", "overlay.question", "stop.", "preset.copy.",
            "name.in-use", "ending.")  # fmt: skip
    bare = {key: text for key, text in texts_in("zh").items()
            if key.startswith(told) and re.search(r"(?<![“/`]){(name|run)}", re.sub("`[^`]*`", "", text))}  # fmt: skip
    assert not bare


def test_a_head_counts_steps_as_the_lines_below_it() -> None:
    use_language(texts_of("zh"))
    assert "第 38/300 步" in state_line(Glance(name="clock", state="training", step=38, total=300), 120).plain


def test_a_word_in_chinese_is_not_shown_in_pieces_that_do_not_add_up() -> None:
    use_language(texts_of("zh"))
    assert said_of("我的狗") == "模型会把“我的狗”拆成 9 个 token（每个汉字占几个），它们都已有各自的意思。"
    assert said_of("xjy") == "模型会把“xjy”拆成 3 个 token（x · j · y），它们都已有各自的意思。"


def said_of(word: str) -> str:
    (finding,) = _rareness(0, Concept(), word)
    return finding.message.text


async def test_the_palette_lists_leaving_once(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        titles = [command.title.partition("  (")[0] for command in app.get_system_commands(app.screen)]
        assert titles.count("Leave") == 1, titles


def test_only_the_pause_between_epochs_is_a_rest() -> None:
    rests = {key for key, text in texts_in("zh").items() if "休息" in text}
    kept = ("option.intervals.pause_", "fix.rest-", "phase.resting", "state.resting", "plan.time.rests",
            "rest.half")  # fmt: skip
    assert all(key.startswith(kept) for key in rests)


def test_a_mistyped_language_is_refused_in_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--language", "fr"]) == 2
    assert "没有语言 fr（--language）。请从 en、zh 中选择。" in capsys.readouterr().err
    monkeypatch.setenv(VARIABLE, "fr")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["runs"]) == 2
    assert f"没有语言 fr（${VARIABLE}）。" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("command", ["train", "bench", "new", "generate"])
def test_help_leaves_nothing_out(command: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help", "--language", language]) == 0
    told = capsys.readouterr().out
    assert "…" not in told.replace("VALUE …'", "").replace("参数=值 …'", "").replace("seed + 1 …", "").replace(
        "seed + 1, …", ""
    )
    if language == "zh":
        assert not {word for word in ("<bool>", "<str>", "<path>", "DIR", "WORD", "SECTION") if word in told}


def test_values_have_the_quotation_marks_of_the_language() -> None:
    use_language(texts_of("zh"))
    assert filled("应为 auto；现在是 {value!r}。", {"value": "a'\\n"}) == "应为 auto；现在是“a'\\\\n”。"
    assert filled("现在是 {value!r}。", {"value": 3}) == "现在是 3。"


def test_options_lists_bounds_in_full_and_choices_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["options"]) == 0
    told = capsys.readouterr().out
    assert "e+" not in told and "4,294,967,295" in told and "可选 auto、sd1" in told
    assert main(["presets"]) == 0
    assert "True" not in capsys.readouterr().out


def test_a_prompt_in_chinese_says_nothing_to_the_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UserError("x", "no further")

    monkeypatch.setattr("core.families.load.load_model", refuse)
    assert main(["generate", "demo", "--prompt", "一只狗", "--output", str(tmp_path)]) == 2
    assert "“一只狗”对 Stable Diffusion 没有意义" in capsys.readouterr().err.replace("\n", "")
    assert not_english("一只狗, a dog") is not None and not_english("a dog, café") is None


def test_ways_of_drawing_pictures_have_chinese_names() -> None:
    from dbtui.widgets.graphics import NAMES, about_protocols

    use_language(texts_of("zh"))
    assert list(NAMES) == list(about_protocols())
    assert [NAMES[name] for name in ("halfcell", "off")] == ["半格字符", "关闭"]


def test_check_says_what_is_unknown_of_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    (tmp_path / "dog").mkdir()
    Image.effect_noise((600, 600), 90).convert("RGB").save(tmp_path / "dog" / "a.png")
    file, words = tmp_path / "run.toml", ["--identifier", "sks", "--class", "dog"]
    given = ["--instance", str(tmp_path / "dog"), "--source", "nobody/nothing", "--preset", "object", *words]
    assert main(["new", "dog", *given, "-o", str(file)]) == 0
    main(["check", str(file)])
    assert "个检查点，大小要等模型到位后才知道" in capsys.readouterr().out
