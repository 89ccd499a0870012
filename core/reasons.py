"""Why a file could not be used, in the language in force: what the system and what the reader of TOML say of it.

Both say it in English. What they say often is a text of ours; the rest is passed on in their own words.
"""

from __future__ import annotations

import errno
import re

from core.texts import Texts, say

_SYSTEM = Texts(
    "reason",
    {
        "EACCES": "Permission denied",
        "EBUSY": "Device or resource busy",
        "EDQUOT": "Disk quota exceeded",
        "EEXIST": "File exists",
        "EFBIG": "File too large",
        "EIO": "Input/output error",
        "EISDIR": "Is a directory",
        "ELOOP": "Too many levels of symbolic links",
        "EMFILE": "Too many open files",
        "ENAMETOOLONG": "File name too long",
        "ENFILE": "Too many open files in system",
        "ENODEV": "No such device",
        "ENOENT": "No such file or directory",
        "ENOMEM": "Cannot allocate memory",
        "ENOSPC": "No space left on device",
        "ENOTDIR": "Not a directory",
        "ENOTEMPTY": "Directory not empty",
        "EPERM": "Operation not permitted",
        "EROFS": "Read-only file system",
        "ESTALE": "Stale file handle",
        "ETIMEDOUT": "Connection timed out",
        "ETXTBSY": "Text file busy",
    },
)

_TOML = Texts(
    "reason",
    {
        "EmptyKeyError": "Empty key",
        "EmptyTableNameError": "Empty table name",
        "InvalidCharInStringError": "A character that a text may not have",
        "InvalidControlChar": "A control character",
        "InvalidDateError": "Invalid date",
        "InvalidDateTimeError": "Invalid date and time",
        "InvalidNumberError": "Invalid number",
        "InvalidNumberOrDateError": "Invalid number or date",
        "InvalidTimeError": "Invalid time",
        "InvalidUnicodeValueError": "Invalid Unicode value",
        "UnexpectedCharError": "A character that does not belong there",
        "UnexpectedEofError": "The text ends too early",
        "TOMLDecodeError": "It is not TOML",
    },
)
"""By the class of the error: tomlkit's, and the one of tomllib."""

_PLACE = re.compile(r"^(?P<words>.*?),? \(?at line (?P<line>\d+),? col(?:umn)? (?P<column>\d+)\)?$", re.DOTALL)
_TWICE = re.compile(r'Key "?(?P<key>.+?)"? already exists')


def of_system(error: BaseException) -> str:
    """Why the system refused: `No such file or directory`. Errors that are not the system's are said as they are."""
    number = getattr(error, "errno", None)
    name = errno.errorcode.get(number, "") if number is not None else ""
    return _SYSTEM[name] if name in _SYSTEM else getattr(error, "strerror", None) or str(error)


def of_toml(error: Exception) -> str:
    """What is wrong with a text that should be TOML, and where."""
    said = str(error).rstrip(".")
    if twice := _TWICE.search(said):
        return say("reason.twice", "{key} stands there twice", key=twice["key"])
    place = _PLACE.match(said)
    name = type(error).__name__
    words = _TOML[name] if name in _TOML else place["words"] if place else said
    if place is None:
        return words
    return say("reason.place", "{words} (line {line}, column {column})", words=words, line=place["line"],
               column=place["column"])  # fmt: skip


def not_a_file() -> str:
    return say("reason.not-a-file", "it is not a regular file")


def not_a_text() -> str:
    return say("reason.not-a-text", "it is not text in UTF-8")


def of_json(error: Exception) -> str:
    """What is wrong with a text that should be JSON, and where; a sentence of ours as it is."""
    import json

    if isinstance(error, json.JSONDecodeError):
        return say("reason.json", "not valid JSON (line {line}, column {column})", line=error.lineno,
                   column=error.colno)  # fmt: skip
    if isinstance(error, UnicodeDecodeError):
        return not_a_text()
    return say("reason.deep", "nested too deeply") if isinstance(error, RecursionError) else str(error)
