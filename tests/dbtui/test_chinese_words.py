"""One word for one thing in Chinese, and words that a Chinese reader would choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.languages import VARIABLE
from core.texts import use_language
from dbtui.__main__ import main
from tests.languages import texts_in

OTHER_WORDS = {
    "对照任务": "对比任务",
    "“检查”页": "“核对”页",
    "没有人可以询问": "无法询问",
    "保存过 {": "{states}",
    "步休息": "步暂停",
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


def test_only_the_pause_between_epochs_is_a_rest() -> None:
    rests = {key for key, text in texts_in("zh").items() if "休息" in text}
    kept = ("option.intervals.pause_", "fix.rest-", "phase.resting", "plan.time.rests", "rest.half")
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
