"""Where lines end: Chinese after any character but for the marks, commands whole, English as rich does it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich._wrap import divide_line
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from textual.content import Content

from dbtui.widths import _divide, break_lines_between_characters, paragraph

NEVER_FIRST = "、。，．；：？！）］｝〉》」』】〕”’…"
NEVER_LAST = "（［｛〈《「『【〔“‘"
PROSE = st.lists(
    st.sampled_from(
        [
            "狗",
            "训练",
            "图片",
            "，",
            "。",
            "）",
            "（",
            "“",
            "”",
            "dog",
            "(",
            ")",
            ",",
            ":",
            " ",
            "`hf auth login`",
            "3",
            "/",
            "a-b",
        ]
    ),
    max_size=40,
).map("".join)


@pytest.fixture(autouse=True, scope="module")
def _chinese_breaks() -> None:
    break_lines_between_characters()


def lines(text: str, width: int) -> list[str]:
    return [line.plain for line in Content(text).wrap(width)]


@given(PROSE, st.integers(2, 60))
def test_nothing_is_lost_and_every_line_fits(text: str, width: int) -> None:
    starts = _divide(text, width)
    assert starts == sorted(set(starts)) and all(0 < start < len(text) for start in starts)
    ends = [*starts, len(text)]
    parts = [text[start:end] for start, end in zip([0, *starts], ends, strict=True)]
    assert all(cell_len(part.rstrip()) <= width for part in parts)


def test_no_line_ends_between_a_key_and_its_word() -> None:
    text = "已导出：模型。u 说明怎样使用，e 导出成另一种格式。l 加训。F2 列出办法。LoRA 训练"
    for width in range(6, 60):
        assert not any(re.search(r"(?<![A-Za-z])[a-z]$|F2$", line.rstrip()) for line in lines(text, width)), width


MARKED = st.lists(
    st.sampled_from(
        [
            "狗",
            "训练，",
            "图片。",
            "（所有）",
            "“我的狗”",
            "dog，",
            "（dog）",
            " 3 ",
            "画风(狗)",
            "步/秒",
            "值: ",
            "dog_dog_dog_dog。",
            "dog_dog_dog)，",
        ]
    ),
    min_size=1,
    max_size=30,
).map("".join)


@given(MARKED, st.integers(12, 60))
def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one(text: str, width: int) -> None:
    for number, line in enumerate(lines(text, width)):
        assert not number or line.strip()[:1] not in NEVER_FIRST + ",.;:!?)/"
        assert line.rstrip()[-1:] not in NEVER_LAST + "([{"


@given(st.text("狗猫图", min_size=2, max_size=40), st.sampled_from(["", "。", "）。"]), st.integers(8, 40))
def test_the_last_line_is_no_single_character(text: str, end: str, width: int) -> None:
    assert len(re.findall("[狗猫图]", lines(text + end, width)[-1])) > 1


@given(st.text("狗猫图，", max_size=40), st.integers(18, 40))
def test_a_command_stays_whole_where_it_fits(before: str, width: int) -> None:
    assert any("`hf auth login`" in line for line in lines(f"{before}狗 `hf auth login`，再试一次。", width))


def test_a_command_too_long_for_a_line_ends_at_its_spaces() -> None:
    assert [line.strip() for line in lines("请先运行 `dbtui train dog --resume`。", 14)] == [
        "请先运行", "`dbtui train", "dog", "--resume`。",
    ]  # fmt: skip


@given(st.text("ab c.,:(`–…’“”\t", max_size=60), st.integers(1, 40), st.booleans())
def test_english_is_broken_as_before(text: str, width: int, fold: bool) -> None:
    assert _divide(text, width, fold) == divide_line(text, width, fold)


@given(st.text("狗。） a\u200b\u200d\ufe0f\u0301👩🇩", max_size=12), st.integers(1, 8))
@example("狗\u200d\u200d）", 1)
@example("a 👩", 1)
def test_characters_that_take_no_cell_do_no_harm(text: str, width: int) -> None:
    starts = _divide(text, width)
    assert starts == sorted(set(starts)) and all(0 < start < len(text) for start in starts)


def test_what_commands_print_is_broken_alike() -> None:
    text = "没有登录：请先运行 `hf auth login`，然后再试一次。"
    printed = [line.plain.rstrip() for line in Text(text).wrap(Console(width=26), 26)]
    assert printed == [line.rstrip() for line in lines(text, 26)] == [
        "没有登录：请先运行", "`hf auth login`，然后再试", "一次。",
    ]  # fmt: skip


def test_a_text_seen_before_costs_nothing() -> None:
    text = "按 F2 修正这一栏的问题，或列出本页所有修正办法。" * 40
    _divide(text, 60)
    begun = time.perf_counter()
    for _ in range(1000):
        _divide(text, 60)
    assert time.perf_counter() - begun < 0.2


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("it took about 12 s in all", 16, ["it took about", "12 s in all"]),
        ("of 1.5 GB free, 8.96 GB", 20, ["of 1.5 GB free,", "8.96 GB"]),
        ("3 min 05 s", 8, ["3 min", "05 s"]),
        ("12 samples", 4, ["12", "samp", "les"]),
        ("停在第 20 步，已保存", 8, ["停在第", "20 步，", "已保存"]),
        ("大约需要 1 秒左右", 11, ["大约需要", "1 秒左右"]),
        ("显存用到 10.2 GB 为止", 13, ["显存用到", "10.2 GB 为止"]),
        ("Diffusion 1 或 2 最多", 13, ["Diffusion 1", "或 2 最多"]),
        ("共有 3 张图", 6, ["共有", "3 张图"]),
        ("weights 1.2 GB, gradients 47.2 MB", 26, ["weights 1.2 GB,", "gradients 47.2 MB"]),
        ("Weights 1.2 GB · Gradients 47.2 MB", 28, ["Weights 1.2 GB ·", "Gradients 47.2 MB"]),
        ("(gradients 47.2 MB)", 12, ["(gradients", "47.2 MB)"]),
        ("权重 1.2 GB，梯度 47.2 MB，其他", 18, ["权重 1.2 GB，", "梯度 47.2 MB，其他"]),
        ("模型 1 GB · 文本编码器 3 GB", 20, ["模型 1 GB ·", "文本编码器 3 GB"]),
        ("在第 52 步保存，用时 1 秒", 20, ["在第 52 步保存，", "用时 1 秒"]),
        ("损失 0.0907，学习率 2.4e-4", 20, ["损失 0.0907，", "学习率 2.4e-4"]),
    ],
)
def test_a_number_stays_with_its_unit(text: str, width: int, expected: list[str]) -> None:
    assert [line.rstrip() for line in lines(text, width)] == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [("显存用得少得多，大约慢四分之一，学习率不变，文本编码器和检查点也是如此。",
      ("显存", "大约", "四分之一", "学习率", "文本编码器", "检查点")),
     ("几乎学不会照片，想看到学习过程就请早些看预览图（正则化图），这样随机舍入也能识别新狗。",
      ("照片", "学习", "过程", "早些", "预览图", "正则化", "这样", "随机", "舍入", "识别"))],
)  # fmt: skip
def test_common_words_are_torn_in_no_line(text: str, words: Sequence[str]) -> None:
    for width in range(10, 60):
        joined = "|".join(line.rstrip() for line in lines(text, width))
        for word in words:
            assert word in joined, (width, joined)


def test_characters_that_a_name_may_have_stand_on_one_line() -> None:
    text = "请起一个（英文字母、数字和 - _ .），文件夹和导出文件都用它命名。"
    for width in range(12, 60):
        joined = "|".join(line.rstrip() for line in lines(text, width))
        assert "- _ .）" in joined, (width, joined)


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("from stable-diffusion-v1-5", 16, ["from stable-", "diffusion-v1-5"]),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", 24, ["stable-diffusion-v1-5/", "stable-diffusion-v1-5"]),
        ("see /home/me/pictures/clock for more", 16, ["see /home/me/", "pictures/clock", "for more"]),
        ("底模 stable-diffusion-v1-5/sd-v1-5", 14, ["底模 stable-", "diffusion-v1-", "5/sd-v1-5"]),
        ("--resume", 8, ["--resume"]),
        ("in /tmp/some-where-far/runs", 16, ["in /tmp/", "some-where-far/", "runs"]),
        ("abcdefghij-klm", 6, ["abcdef", "ghij-", "klm"]),
    ],
)
def test_a_path_too_long_for_a_line_ends_behind_a_slash_or_a_dash(text: str, width: int, expected: list[str]) -> None:
    assert [line.rstrip() for line in lines(text, width)] == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("go on with `dbtui train dog --resume` now", 24, ["go on with", "`dbtui train dog --resume`", "now"]),
        ("  saved in /home/me/my-pictures/clock, 12 s", 20, ["  saved in", "  /home/me/my-pictures/clock,", "  12 s"]),
        ("请先运行 `dbtui train dog --resume`。", 14, ["请先运行", "`dbtui train dog --resume`。"]),
        ("已保存到 /图片/我的闹钟/模型/第一步，再看", 14, ["已保存到", "/图片/我的闹钟/模型/第一步，", "再看"]),
        ("any `lone mark", 8, ["any", "`lone", "mark"]),
        ("", 8, [""]),
    ],
)
def test_what_a_command_says_is_broken_between_words_and_what_is_to_be_copied_stays_whole(
    text: str, width: int, expected: list[str]
) -> None:
    assert paragraph(text, width) == expected


@given(PROSE, st.integers(1, 60))
def test_a_paragraph_loses_nothing(text: str, width: int) -> None:
    assert "".join("".join(paragraph(text, width)).split()) == "".join(text.split())
