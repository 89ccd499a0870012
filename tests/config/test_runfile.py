from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from rich.cells import cell_len

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.runfile import from_toml, made_from, read, to_toml
from core.config.table import option_table
from core.languages import LANGUAGES, texts_of
from core.languages.words import WORDS
from core.texts import UserError, noted, use_language
from tests.config.runs import run_configs


@given(run_configs())
@settings(max_examples=60, deadline=None)
def test_any_run_is_read_back_equal(config: RunConfig) -> None:
    assert from_toml(to_toml(config, "0.1.0")) == config


@pytest.fixture(params=LANGUAGES)
def spoken(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each language in turn."""
    use_language(texts_of(request.param))
    yield
    use_language(None)


@pytest.mark.usefixtures("spoken")
def test_the_comments_are_in_the_language_in_force_and_the_file_is_read_back_equal() -> None:
    text = to_toml(RunConfig(), "0.1.0")
    comments = "".join(line.strip("# ") for line in text.splitlines() if line.startswith("#")).replace(" ", "")
    for option in option_table():
        assert option.title.replace(" ", "") in comments and option.help.replace(" ", "") in comments, option.path
        twice = noted("", option.unit).replace(" ", "") * 2
        assert not option.unit or twice not in comments, option.path
    assert from_toml(text) == RunConfig()


@pytest.mark.usefixtures("spoken")
def test_comments_fit_a_wide_terminal_and_break_where_sentences_may() -> None:
    for line in to_toml(RunConfig(), "0.1.0").splitlines():
        if line.startswith("#"):
            assert cell_len(line) <= 112
            assert not re.match("# [、。，；：！？）”]", line) and not line.endswith(("（", "“"))


def test_every_option_stands_in_the_file_with_its_title_above_it() -> None:
    lines = to_toml(RunConfig()).splitlines()
    for option in option_table():
        places = [number for number, line in enumerate(lines) if line.strip().startswith(f"{option.name} = ")]
        assert any(option.title in " ".join(lines[max(0, number - 4) : number]) for number in places), option.path


def test_the_file_is_toml_that_other_readers_understand() -> None:
    import tomllib

    text = to_toml(RunConfig(), "0.1.0")
    assert tomllib.loads(text) == tomlkit.parse(text).unwrap()
    assert tomllib.loads(text)["written_by"] == "0.1.0"


@pytest.mark.parametrize(
    ("text", "preset"),
    [
        (to_toml(RunConfig(), "0.1.0", "face"), "face"),
        (to_toml(RunConfig(), "0.1.0"), ""),
        ("made_from_preset = 3", ""),
        ("[a", ""),
    ],
)  # fmt: skip
def test_the_file_names_the_preset_that_it_was_made_from(text: str, preset: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    assert made_from(path) == ""
    path.write_text(text)
    assert made_from(path) == preset


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[batch]\nsize = 1\nsize = 2\n", "config.twice", "size"),
        ("[batch]\nsize = 1\n[batch]\naccumulation = 2\n", "config.twice", "says batch twice"),
        (
            "[[concepts]]\n[concepts.instance]\nprompt = 'a'\n[concepts.instance]\nprompt = 'b'\n",
            "config.twice",
            "instance",
        ),
        ("[batch\n", "config.toml", "line 1"),
        ("prompt = a dog\n", "config.toml", "line 1"),
    ],
)
def test_toml_that_is_wrong_or_says_something_twice_is_refused_with_its_place(text: str, code: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        from_toml(text, "mine.toml")
    assert caught.value.code == code
    assert "mine.toml" in str(caught.value) and said in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as missing:
        read(tmp_path / "no.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError) as binary:
        read(tmp_path / "bytes.toml")
    with pytest.raises(UserError) as folder:
        read(tmp_path)
    assert [caught.value.code for caught in (missing, binary, folder)] == [
        "config.unreadable", "config.encoding", "config.unreadable",
    ]  # fmt: skip


def test_small_numbers_are_written_as_the_help_writes_them() -> None:
    config = with_changes(RunConfig(), {"learning_rate.rate": 1e-6, "learning_rate.final_rate": 5e-8})
    text = to_toml(config)
    assert "rate = 1e-6\n" in text and "final_rate = 5e-8\n" in text
    assert from_toml(text) == config


def test_a_comment_in_chinese_tears_no_word_of_the_program() -> None:
    use_language(texts_of("zh"))
    try:
        written = to_toml(RunConfig(), "0.1.0")
    finally:
        use_language(None)
    for before, after in pairwise(written.splitlines()):
        if before.startswith("# ") and after.startswith("# "):
            torn = [word for word in WORDS for cut in range(1, len(word))
                    if before.endswith(word[:cut]) and after[2:].startswith(word[cut:])]  # fmt: skip
            assert not torn, (torn, before, after)
