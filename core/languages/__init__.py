"""The languages that the program speaks, and which of them a person gets.

English stands in the source, beside its codes. Every other language is one file here, `<name>.toml`;
`python -m tests.languages` says what such a file misses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from core.settings import remembered
from core.texts import ENGLISH, UserError, joined, use_language

LANGUAGES = {ENGLISH: "English", "zh": "简体中文"}
"""Each by its own name."""
VARIABLE = "DBTUI_LANGUAGE"
SETTING = "language"
_ALSO = {"cn": "zh"}
"""What people write for a language beside its code: the country, here."""


def texts_of(language: str) -> Path | None:
    """The file with the texts of `language`; English has none."""
    return None if language == ENGLISH else Path(__file__).parent / f"{language}.toml"


def put_in_force(language: str) -> None:
    """Speak `language` from now on, in this process and in those that it starts."""
    use_language(texts_of(language))
    os.environ[VARIABLE] = language


def speak(asked: str | None, environment: Mapping[str, str]) -> None:
    """Put the language in force that `choose` says. Where it refuses, it does so in the one that it would choose
    unasked: whoever mistyped `--language` reads their own.
    """
    given = dict(environment)
    try:
        put_in_force(choose(asked, given))
    except UserError:
        others = {name: value for name, value in given.items() if name != VARIABLE}
        put_in_force(meant_by(given.get(VARIABLE, "")) or choose(None, others))
        choose(asked, given)


def choose(asked: str | None, environment: Mapping[str, str]) -> str:
    """`--language`, else `$DBTUI_LANGUAGE`, else what was chosen in the app, else the locale's language.

    Raises `UserError` for a language that is not there.
    """
    for place, wanted in (("--language", asked), (f"${VARIABLE}", environment.get(VARIABLE))):
        if wanted:
            meant = meant_by(wanted)
            if meant is None:
                raise UserError("language.unknown", "{place} asks for “{wanted}”, and there is no such language here.",
                                mend="Choose one of {known}.", place=place, wanted=wanted,
                                known=joined(LANGUAGES))  # fmt: skip
            return meant
    kept = remembered(SETTING)
    return kept if kept in LANGUAGES else of_locale(environment)


def meant_by(name: str) -> str | None:
    """Ours that a locale's name means (`zh_CN.UTF-8`, `zh-Hans`, `en_GB`, `cn`); `None` if there is none.

    Whatever its region or script: readers of traditional characters read simplified ones sooner than English.
    """
    language = name.partition(".")[0].partition("@")[0].replace("-", "_").lower().split("_")[0]
    language = _ALSO.get(language, language)
    return language if language in LANGUAGES else None


def of_locale(environment: Mapping[str, str]) -> str:
    """The language of `$LC_ALL`, else `$LC_MESSAGES`, else `$LANG`; English where it is none of ours."""
    name = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return meant_by(name) or ENGLISH
