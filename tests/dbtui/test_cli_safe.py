"""Foreign strings cannot command the terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.texts import message
from dbtui.safe import safe, safe_lines, safe_message


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain ümläut 時計", "plain ümläut 時計"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("bytes\udcff", "bytes\\xff"),
        ("lone\ud800", "lone\\ud800"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_control_characters_become_visible(foreign: str, shown: str) -> None:
    assert safe(foreign) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_a_terminal_obeys_is_left(foreign: str) -> None:
    shown = safe(foreign)
    assert all(unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in shown)
    assert "\u202e" not in shown
    shown.encode("utf-8")


def test_lines_stay_lines_and_each_is_safe() -> None:
    assert safe_lines("one\ntwo\x1b") == "one\ntwo\\x1b"


def test_a_message_keeps_its_own_lines_and_numbers_but_not_those_of_its_values() -> None:
    said = message("x", "{count:,} in {path}:\n{reason!r}", count=1234, path=Path("a\x1b\nb"), reason="\x07")
    assert safe_message(said) == "1,234 in a\\x1b\\nb:\n'\\\\x07'"


def test_an_error_in_a_message_is_made_safe_too() -> None:
    assert safe_message(message("x", "{reason}", reason=OSError("\x1bc"))) == "\\x1bc"
