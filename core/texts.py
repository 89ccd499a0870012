"""What the program says to people: a code, values and the English text beside it.

Every sentence a person may read is a `Message`. Its code is stable (scripts and tests rely on it), its values are
data, and its English text stands where it is raised. Another language is one file: a TOML table from code to
`text` and `mend`, put in force with `use_language`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_translations: dict[str, Mapping[str, str]] = {}


def use_language(path: Path | None) -> None:
    """Take texts from the TOML file at `path` (`["code"] text = "…" mend = "…"`); `None` goes back to English."""
    _translations.clear()
    if path is not None:
        _translations.update(tomllib.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Message:
    """One thing said to a person.

    `english` and `mend` are `str.format` templates over `values`; `mend` says what to do and may be empty.
    """

    code: str
    english: str
    mend: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self._filled("text", self.english)

    @property
    def advice(self) -> str:
        return self._filled("mend", self.mend)

    def _filled(self, part: str, english: str) -> str:
        template = _translations.get(self.code, {}).get(part, english)
        return template.format_map(self.values) if self.values else template

    def __str__(self) -> str:
        return f"{self.text} {self.advice}".strip()


def message(code: str, english: str, /, mend: str = "", **values: Any) -> Message:
    """`message("batch.size", "{pictures} pictures…", mend="Take …", pictures=6)`."""
    return Message(code, english, mend, values)


class UserError(Exception):
    """Something a person can cause and mend: what, where, what to do. Anything else is a bug and looks like one."""

    def __init__(self, code: str, english: str, /, mend: str = "", **values: Any) -> None:
        self.message = Message(code, english, mend, values)
        super().__init__(str(self.message))

    @property
    def code(self) -> str:
        return self.message.code


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """`counted(1, "picture") == "1 picture"`, `counted(3, "picture") == "3 pictures"`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listed(items: Iterable[object], most: int = 6) -> str:
    """The first `most` items in one line, and how many more there are."""
    names = [str(item) for item in items]
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def path_in_words(path: str | os.PathLike[str]) -> str:
    """A path that can be printed and written as UTF-8: bytes of its name that are not are shown as `\\xe4`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def size_in_words(count: float) -> str:
    """Bytes in the unit a person would use (decimal, as disks are sold): `1.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(count) < (999.5 if unit == "bytes" else 999.95) or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def duration_in_words(seconds: float) -> str:
    """Seconds as `42 s`, `3 min 05 s` or `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
