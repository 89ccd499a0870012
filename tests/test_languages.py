"""Every language has every text, with the same placeholders, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from core.config.searching import find_options, section_title
from core.config.table import option_table
from core.languages import LANGUAGES, choose, of_locale, texts_of
from core.settings import remember, remembered, settings_path
from core.texts import ENGLISH, Texts, UserError, counted, either, filled, listed, message, say, use_language, valued
from tests.languages import ROOT, SEEN, UNSAID, Catalogue, catalogue, hashes, in_order, placeholders, stale, texts_in

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
GRAMMAR = {"verb"}
"""Values that only English needs (`is`, `are`)."""


NAMES = {
    "8bit", "AdamW", "Adafactor", "Alpha", "Betas", "ComfyUI", "ControlNet", "DoRA", "Epsilon", "F2", "Lion", "LoHa",
    "LoKr", "LoRA", "MFU", "Min-SNR", "PDF", "Paged", "Prodigy", "PyTorch", "REX", "SDPA", "TensorBoard", "gamma",
    "px", "safetensors", "xFormers",
}  # fmt: skip
"""Words that are the same in every language; a text may be made of them alone."""
QUOTED = re.compile(r"`[^`]*`|\{[^{}]*\}|“[^”]*”|--[\w-]+ [\w.=]+|[\w.-]+/[\w./-]+|\b[A-Z][\w-]+( [A-Z][\w-]*)+")
"""What is no prose: code, values, examples, options of commands, paths, names of several words."""
ENGLISH_PROSE = re.compile(r"\b(the|an|is|are|was|of|to|in|not|with|your|and|this|that|for|it|from|or)\b"
                           r"|\b[A-Za-z][a-z]+(?: [a-z]{2,}){2,}")  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Catalogue:
    return catalogue()


@pytest.fixture
def _back_to_english() -> None:
    yield
    use_language(None)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return settings_path()


def test_every_text_can_be_read_from_the_source(found: Catalogue) -> None:
    assert not found.unreadable, "\n".join(["say(code, text) needs both as they are:", *found.unreadable])
    assert len(found.texts) > 1000


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_missing(found: Catalogue, language: str) -> None:
    there = texts_in(language)
    missing = [f"{key}  ({place})" for key, (_, place) in found.lines().items() if key not in there]
    advice = f"{language}.toml lacks these; `python -m tests.languages missing` prints them as lines for it:"
    assert not missing, "\n".join([advice, *missing])


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_translated_that_nobody_says(found: Catalogue, language: str) -> None:
    left = [key for key in texts_in(language) if key not in found.lines()]
    assert not left, "\n".join([f"take these out of {language}.toml:", *left])


@pytest.mark.parametrize("language", OTHERS)
def test_the_texts_of_a_language_stand_in_alphabetical_order(language: str) -> None:
    keys = list(texts_in(language))
    wrong = [later for earlier, later in pairwise(keys) if later < earlier]
    assert not wrong, f"out of order in {language}.toml: `python -m tests.languages sort`"
    path = texts_of(language)
    assert path is not None and in_order(path.read_text(encoding="utf-8")) == path.read_text(encoding="utf-8")


def test_no_translation_is_of_an_older_text(found: Catalogue) -> None:
    old = stale(found)
    advice = "their English has changed: mend their translations, then `python -m tests.languages seen`"
    assert not old, "\n".join([advice, *old])
    assert set(hashes(found)) == {line.split("\t")[0] for line in SEEN.read_text(encoding="utf-8").splitlines()}, (
        "texts came or went: `python -m tests.languages seen`"
    )


@pytest.mark.parametrize("language", OTHERS)
def test_placeholders_are_those_of_the_english_text(found: Catalogue, language: str) -> None:
    there = texts_in(language)
    wrong = {
        key: (english, there[key])
        for key, (english, _) in found.lines().items()
        if key in there and placeholders(english) - GRAMMAR != placeholders(there[key])
    }
    assert not wrong


def left_in_english(text: str) -> str:
    """The English words of a translation that are prose, or a text that has none of the language's own."""
    bare = QUOTED.sub("", text)
    prose = ENGLISH_PROSE.search(bare)
    if prose is not None:
        return prose[0]
    words = set(re.findall(r"[A-Za-z][\w-]*|\d+[a-z]+", bare))
    return "" if re.search("[\u4e00-\u9fff]", text) or words <= NAMES else " ".join(sorted(words - NAMES))


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_left_in_english(language: str) -> None:
    left = {key: words for key, text in texts_in(language).items() if (words := left_in_english(text))}
    assert not left


@pytest.mark.parametrize(
    ("text", "is_english"),
    [
        ("Nothing is trained", True),
        ("Stopped", True),
        ("训练已停止。Choose another folder", True),
        ("用 `dbtui train the run` 训练", False),
        ("Stable Diffusion XL 的底模", False),
        ("{done}/{total}", False),
        ("LoRA (.safetensors)", False),
    ],
)
def test_english_prose_is_known_from_names(text: str, is_english: bool) -> None:
    assert bool(left_in_english(text)) == is_english


@pytest.mark.parametrize("language", OTHERS)
def test_lines_and_spaces_around_a_text_stay(found: Catalogue, language: str) -> None:
    there = texts_in(language)
    assert not [key for key, text in there.items() if not text and key != "message.gap"]
    assert not [key for key, (english, _) in found.lines().items()
                if ("\n" in there.get(key, "")) != ("\n" in english) and key in there]  # fmt: skip


HALF_WIDTH = re.compile(
    r"[\u4e00-\u9fff}”》] ?[,;:!?](?=\s|$|[\u4e00-\u9fff{“《])|[,;:!?] ?[\u4e00-\u9fff{“《]"
    r"|\([^()]*[\u4e00-\u9fff][^()]*\)|[\u4e00-\u9fff}”》]\(|\)[\u4e00-\u9fff{“《]|[\u4e00-\u9fff}”》]\.(\s|$)"
)
"""A comma, a colon or brackets of English beside what is Chinese or a value."""
MARKS_OF_CODE = {"home.help": "? 中断", "use.lora.then": "<lora:{name}:1>"}


def test_chinese_texts_have_no_marks_of_english() -> None:
    wrong = {}
    for key, text in texts_in("zh").items():
        bare = re.sub(r"`[^`]*`", "", text.replace(MARKS_OF_CODE.get(key, "\0"), ""))
        if found := HALF_WIDTH.search(re.sub(r"\{[^{}]*\}", "{}", bare)):
            wrong[key] = found[0]
    assert not wrong


@pytest.mark.parametrize("text", ["图片, 标注", "{a}, {b}", "步数: 3", "图片(3)", "（本任务）:", "图片 (三张)", "好."])
def test_marks_of_english_are_known(text: str) -> None:
    joined = HALF_WIDTH.search(re.sub(r"\{[^{}]*\}", "{}", text)) or HALF_WIDTH.search(text.replace("）", "}"))
    assert joined is not None


FOR_NO_READER = {
    "core/choices/adapters.py", "core/config/runfile.py", "core/config/options.py", "core/data/captions.py",
    "core/config/prompts.py", "core/families/wholeness.py", "core/files.py", "core/runs/commands.py",
    "core/sampling/png.py",
    "core/runs/trackers/weights_and_biases.py", "dbtui/announcing.py", "dbtui/probes.py", "core/languages/breaking.py",
    "dbtui/widgets/halfcell.py",
}  # fmt: skip
"""What they join is read by programs, is a pattern, or is English in every language."""


def test_the_source_puts_nothing_together_with_marks_of_english() -> None:
    """`joined`, `beside`, `apart`, `noted` and `headed` do it in the language in force."""
    wrong = []
    for path in sorted(path for room in ("core", "dbtui") for path in (ROOT / room).rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if place in FOR_NO_READER or place.startswith(UNSAID):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                pieces = [piece.value if isinstance(piece, ast.Constant) else "\0" for piece in node.values]
                is_wrong = re.search(r"\0(, |; |: |:$| ?\()| ?\(\0|^, ", "".join(map(str, pieces)))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
                is_wrong = isinstance(node.func.value, ast.Constant) and node.func.value.value in (", ", "; ", ": ")
            else:
                continue
            text = ast.unparse(node)
            if is_wrong and not re.match(r"f.(\{type\(error\)|Run\(|The run will )", text):
                wrong.append(f"{place}:{node.lineno}: {text[:80]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.usefixtures("_back_to_english")
def test_what_is_said_is_said_in_the_language_in_force() -> None:
    phases = Texts("phase", {"saving": "Saving"})
    said = message("disk.full", "There is no room left to write to {where} ({reason}).", where="/x", reason="ENOSPC")
    assert (say("home.title", "Runs"), phases["saving"], counted(3, "picture")) == ("Runs", "Saving", "3 pictures")
    use_language(texts_of("zh"))
    assert (say("home.title", "Runs"), phases["saving"], counted(3, "picture")) == ("任务", "保存", "3 张图片")
    assert said.text == "没有空间写入 /x 了（ENOSPC）。"
    assert listed("abcdefgh", 2) == "a、b 等，还有 6 项"
    assert say("never.said", "An English text.") == "An English text."


@pytest.mark.usefixtures("_back_to_english")
@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("必须是{x}，而不是", "auto", "必须是 auto，而不是"),
        ("必须是{x}，而不是", "整数", "必须是整数，而不是"),
        ("{x} 有 3 个", "这台电脑", "这台电脑有 3 个"),
        ("{x} 45.3 MB", "图片（训练）", "图片（训练）45.3 MB"),
        ("{x} 有 3 个", "NVIDIA H100", "NVIDIA H100 有 3 个"),
        ("学习率{x}，", 0.5, "学习率 0.5，"),
        ("还有 {x:.1f}{x!r}张", 2, "还有 2.02 张"),
        ("约 {x}", "“图片”", "约 “图片”"),
        ("没有{{x}}{x}", "/tmp/图片", "没有{x}/tmp/图片"),
        ("文件夹 {x} 不存在", "/tmp/图片", "文件夹 /tmp/图片 不存在"),
        ("文件夹 {x}不存在", "~/图片", "文件夹 ~/图片 不存在"),
        ("文件夹 {x} 不存在。", Path("图片"), "文件夹 图片 不存在。"),
        ("文件夹{x}不存在", "/tmp/a", "文件夹/tmp/a 不存在"),
    ],
)
def test_values_stand_apart_from_chinese_as_words_do(template: str, value: object, text: str) -> None:
    assert filled("{x} a", {"x": "b"}) == "b a"
    use_language(texts_of("zh"))
    assert filled(template, {"x": value}) == text


@pytest.mark.usefixtures("_back_to_english")
def test_alternatives_are_listed_in_the_language() -> None:
    assert either((64, 96)) == "64 or 96"
    use_language(texts_of("zh"))
    assert either((64, 96)) == "64 或 96"


@pytest.mark.usefixtures("_back_to_english")
def test_every_section_has_a_chinese_name_and_the_example_words_find_fields() -> None:
    use_language(texts_of("zh"))
    options = option_table()
    assert all(re.search("[\u4e00-\u9fff]|LoRA", section_title(option)) for option in options)
    for word in say("finding.example", "").removeprefix("例如 ").split("、"):
        assert any(word in option.title for option in find_options(word, options)), word


COMMANDS = ("cli.", "bench.", "doctor.", "config.", "new.", "run.name-in-use", "run.no-name", "train.finished")
"""Texts that only a command says, or only of a line or a file."""


@pytest.mark.usefixtures("_back_to_english")
@pytest.mark.parametrize("language", LANGUAGES)
def test_advice_names_an_option_as_its_field_does_before_its_path(found: Catalogue, language: str) -> None:
    use_language(texts_of(language))
    titles = {option.path.rpartition("*.")[2]: option.title for option in option_table()}
    titles = {path: title for path, title in titles.items() if "." in path}
    there = texts_in(language) if language != ENGLISH else {}
    bare = []
    for key, (english, _) in found.lines().items():
        text = re.sub(r"--set [\w.=]+", "", there.get(key, english))
        for path in re.findall(r"(?<![\w.])[a-z_]+\.[a-z_]+(?![\w.])", text):
            if path in titles and not key.startswith(COMMANDS):
                marks = (f"{titles[path]} ({path})", f"“{titles[path]}”（{path}）", f"{titles[path]}, {path},")
                bare += [] if any(mark in text for mark in marks) else [(key, path)]
    assert not bare


@pytest.mark.usefixtures("_back_to_english")
def test_a_code_with_several_texts_has_each_of_them() -> None:
    use_language(texts_of("zh"))
    bare, app = "Choose {other}.", 'Set Optimizer (performance.optimizer) to "{other}".'
    first, second = (message("optimizer.needs-cuda", "x", mend=text, other="adamw").advice for text in (bare, app))
    assert first == "请选择 adamw。" and second == "请把“优化器”（performance.optimizer）设为 adamw。"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_SG"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "zh-Hans-CN"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh_HK"}, "zh"),
        ({"LANG": "de_DE@euro"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "zh_CN"}, "zh"),
    ],
)
def test_the_locale_chooses_where_nobody_else_does(environment: dict[str, str], language: str) -> None:
    assert of_locale(environment) == language


def test_option_then_variable_then_setting_then_locale(settings: Path) -> None:
    chinese = {"LANG": "zh_CN"}
    assert choose(None, chinese) == "zh"
    remember(language="en")
    assert choose(None, chinese) == "en"
    assert choose(None, chinese | {"DBTUI_LANGUAGE": "zh"}) == "zh"
    assert choose("en", chinese | {"DBTUI_LANGUAGE": "zh"}) == "en"


@pytest.mark.parametrize(
    "asked", ["zh_CN", "zh-CN", "zh-Hans", "zh_CN.UTF-8", "cn", "CN", "zh_TW", "zh-Hant", "zh_HK.UTF-8", "ZH"]
)
def test_a_language_may_be_asked_for_as_locales_write_it(asked: str) -> None:
    assert choose(asked, {}) == choose(None, {"DBTUI_LANGUAGE": asked}) == "zh"
    assert choose("en_GB.UTF-8", {"DBTUI_LANGUAGE": asked}) == "en"


@pytest.mark.parametrize("asked", [("xx", {}), (None, {"DBTUI_LANGUAGE": "xx"}), ("zhx", {}), ("C", {}), ("_", {})])
def test_a_language_that_is_not_there_is_refused(asked: tuple[str | None, dict[str, str]]) -> None:
    with pytest.raises(UserError) as error:
        choose(*asked)
    assert error.value.code == "language.unknown" and "zh" in str(error.value)


def test_settings_are_kept_beside_each_other_and_a_damaged_file_counts_as_none(settings: Path) -> None:
    assert remembered("language") is None
    remember(theme="light")
    remember(language="zh")
    assert (remembered("language"), remembered("theme")) == ("zh", "light")
    settings.write_bytes(b"\xff[[[")
    assert remembered("language") is None and choose(None, {}) == "en"
    settings.write_text("language = 3\n")
    assert choose(None, {}) == "en"


def test_no_language_is_read_before_it_is_asked_for() -> None:
    import subprocess

    code = "import sys, core.texts; print(sorted({'tomllib', 'core.languages'} & set(sys.modules)))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"


@pytest.mark.parametrize(("title", "told"), [("轮数（Epoch）", "轮数（Epoch）150"), ("学习率", "学习率\u00a0150")])
def test_a_value_stands_close_behind_a_full_width_bracket(title: str, told: str) -> None:
    use_language(texts_of("zh"))
    try:
        assert valued(title, 150) == told
        assert say("preset.change", "{title} {new} (was {old})", title=title, new=150, old=100) == f"{told}（原为 100）"
    finally:
        use_language(None)
