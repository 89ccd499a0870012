"""The languages that the program speaks, and which of them a person gets.

English stands in the source, beside its codes. Every other language is one file here, `<name>.toml`;
`python -m tests.languages` says what such a file misses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from core.settings import remembered
from core.texts import ENGLISH, UserError, use_language

LANGUAGES = {ENGLISH: "English", "zh": "简体中文"}
"""Each by its own name."""
VARIABLE = "DBTUI_LANGUAGE"
SETTING = "language"
_SIMPLIFIED = ("", "cn", "sg", "hans")
"""Regions and scripts of a Chinese locale that read simplified characters."""


def texts_of(language: str) -> Path | None:
    """The file with the texts of `language`; English has none."""
    return None if language == ENGLISH else Path(__file__).parent / f"{language}.toml"


def put_in_force(language: str) -> None:
    """Speak `language` from now on, in this process and in those that it starts."""
    use_language(texts_of(language))
    os.environ[VARIABLE] = language


def choose(asked: str | None, environment: Mapping[str, str]) -> str:
    """`--language`, else `$DBTUI_LANGUAGE`, else what was chosen in the app, else the locale's language.

    Raises `UserError` for a language that is not there.
    """
    for place, wanted in (("--language", asked), (f"${VARIABLE}", environment.get(VARIABLE))):
        if wanted:
            if wanted not in LANGUAGES:
                raise UserError("language.unknown", "{place} asks for “{wanted}”, and there is no such language here.",
                                mend="Choose one of {known}.", place=place, wanted=wanted,
                                known=", ".join(LANGUAGES))  # fmt: skip
            return wanted
    kept = remembered(SETTING)
    return kept if kept in LANGUAGES else of_locale(environment)


def of_locale(environment: Mapping[str, str]) -> str:
    """The language of `$LC_ALL`, else `$LC_MESSAGES`, else `$LANG`; English where it is none of ours.

    Taiwan and Hong Kong read traditional characters: English for them as well.
    """
    name = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    language, *rest = name.partition(".")[0].partition("@")[0].replace("-", "_").lower().split("_")
    return "zh" if language == "zh" and (rest[0] if rest else "") in _SIMPLIFIED else ENGLISH
