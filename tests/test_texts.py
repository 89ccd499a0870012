from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.languages import LANGUAGES, texts_of
from core.texts import (
    Message,
    UserError,
    counted,
    duration_in_words,
    listed,
    message,
    number,
    path_in_words,
    say,
    size_in_words,
    use_language,
)


@pytest.fixture
def german(tmp_path: Path) -> Iterator[None]:
    path = tmp_path / "de.toml"
    path.write_text(
        '"batch.size" = "{count} Bilder passen nicht."\n"batch.size.mend" = "Nimm {other}."\n"half" = "Nur Text."\n'
    )
    use_language(path)
    yield
    use_language(None)


def test_a_message_fills_its_values_into_text_and_advice() -> None:
    said = message("batch.size", "{count} pictures do not fit.", mend="Take {other}.", count=7, other=6)
    assert (said.text, said.advice, str(said)) == (
        "7 pictures do not fit.",
        "Take 6.",
        "7 pictures do not fit. Take 6.",
    )


def test_braces_in_values_and_in_texts_without_values_mean_nothing() -> None:
    assert message("x", "{name} is odd.", name="{count}").text == "{count} is odd."
    assert message("x", "Write {identifier}.").text == "Write {identifier}."


@pytest.mark.usefixtures("german")
def test_another_language_is_a_file() -> None:
    said = message("batch.size", "{count} pictures do not fit.", mend="Take {other}.", count=7, other=6)
    assert str(said) == "7 Bilder passen nicht. Nimm 6."
    assert str(message("half", "Only text.", mend="Mend.")) == "Nur Text. Mend."
    assert str(message("unknown", "English.")) == "English."


def test_going_back_to_english_forgets_the_other_language(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('"a" = "A"\n')
    use_language(tmp_path / "x.toml")
    use_language(None)
    assert message("a", "English.").text == "English."


def test_an_error_of_a_person_carries_its_message() -> None:
    error = UserError("disk.full", "{where} is full.", mend="Free some.", where="/home")
    assert (error.code, str(error)) == ("disk.full", "/home is full. Free some.")
    assert error.message == Message("disk.full", "{where} is full.", "Free some.", {"where": "/home"})


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (11_790_977_328, "11.8 GB"), (2_500_000, "2.5 MB"),
     (5e15, "5000.0 TB"), (-1500, "-1.5 kB"), (999_950, "1.0 MB"), (999.6, "1.0 kB")],
)  # fmt: skip
def test_sizes_are_in_the_unit_that_a_person_would_use(count: float, words: str) -> None:
    assert size_in_words(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (172_799, "47 h 59 min"),
        (888_900, "10 days 6 h"),
    ],
)
def test_durations_never_say_sixty(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


def test_counting_and_listing() -> None:
    assert (counted(1, "picture"), counted(0, "picture"), counted(1234, "entry", "entries")) == (
        "1 picture", "0 pictures", "1,234 entries",
    )  # fmt: skip
    assert listed("abc") == "a, b, c"
    assert listed(range(9), most=6) == "0, 1, 2, 3, 4, 5 and 3 more"
    assert listed(range(6), most=6) == "0, 1, 2, 3, 4, 5"


def test_names_that_are_no_utf8_can_be_shown_and_written() -> None:
    assert path_in_words(b"caf\xe4.png".decode("utf-8", "surrogateescape")) == "caf\\xe4.png"


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [(1e-6, "", "1e-6"), (2.4e-4, ".1e", "2.4e-4"), (1e-12, "g", "1e-12"), (1e22, "", "1e22"), (0.0, "", "0.0"),
     (0.05, "g", "0.05"), (-3e-7, "", "-3e-7"), (1e-5, ".2g", "1e-5"), (1.0, ".1e", "1.0e0"), (1e100, "", "1e100"),
     (0.0002, "g", "2e-4"), (0.00025, "", "2.5e-4"), (0.00025, ".10g", "2.5e-4"), (0.001, "g", "0.001"),
     (0.0004, ".4f", "0.0004")],
)  # fmt: skip
@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_written_in_one_way_everywhere(value: float, form: str, written: str, language: str) -> None:
    use_language(texts_of(language))
    try:
        assert number(value, form) == written and float(written) == pytest.approx(value)
        assert say("test.none", f"At {{value:{form}}}.", value=value) == f"At {written}."
        assert message("test.none", "Not {value!r}.", value=value).text == f"Not {number(value)}."
    finally:
        use_language(None)
