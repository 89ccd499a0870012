"""What the program says to people: a code, values and the English text beside it.

Every sentence a person may read is a `Message`, every shorter text (a label, a title, a line of a table) comes from
`say`. Its code is stable (scripts and tests rely on it), its values are data, and its English text stands where it is
said. Another language is one TOML file of `"code" = "text"` and `"code.mend" = "advice"`, put in force with
`use_language` (`core/languages` chooses which). A code that says several things in English has one line for each:
`"code|English" = "text"`.

What is looked up, is looked up when it is shown, so that the language can change while the program runs: no text of
ours in a constant, in a class or in a default. Where a table of texts is wanted, there is `Texts`.
"""

from __future__ import annotations

import os
import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any

ENGLISH = "en"

_translations: dict[str, str] = {}
_language = ENGLISH


def use_language(path: Path | None) -> None:
    """Take texts from the TOML file at `path`, whose name is that of the language; `None` goes back to English."""
    global _language
    _translations.clear()
    _language = ENGLISH
    if path is not None:
        import tomllib

        _translations.update(tomllib.loads(path.read_text(encoding="utf-8")))
        _language = path.stem


def language() -> str:
    """The language in force: `en`, `zh`."""
    return _language


def in_force(code: str, english: str) -> str:
    """The template that `code` has in the language in force, for one that says `english` in English."""
    if not _translations:
        return english
    own = _translations.get(f"{code}|{english}")
    return own if own is not None else _translations.get(code, english)


def say(code: str, english: str, /, **values: Any) -> str:
    """A short text in the language in force: `say("runs.none", "No runs in {home}.", home=home)`."""
    template = in_force(code, english)
    return filled(template, values) if values else template


def filled(template: str, values: Mapping[str, Any]) -> str:
    """`template` with its values. In Chinese they stand as its own words do: a space between a Chinese and a Latin
    character (`必须是 auto`), none between two Chinese ones (`这台电脑有`), whichever the value turns out to be.
    A path keeps its spaces (`文件夹 /图片 不存在`): one would read on into it.
    What English quotes with `!r` has the marks of all other Chinese texts.
    """
    if not _translations:
        return _FORMATTER.vformat(template, (), values)
    text, was_value, path = "", False, False
    for literal, name, form, conversion in string.Formatter().parse(template):
        text = _side_by_side(text, literal, path) if was_value else text + literal
        was_value, path = name is not None, name is not None and _is_path(values.get(name))
        if name is not None:
            if conversion == "r" and isinstance(quoted := string.Formatter().get_field(name, (), values)[0], str):
                bare = text[:-1] if text.endswith(" ") and _is_chinese(text[-2:-1]) else text
                text, was_value = f"{bare}“{repr(quoted)[1:-1]}”", True
                continue
            field = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
            text = _side_by_side(text, _FORMATTER.vformat(field, (), values), path)
    return text


def number(value: float, form: str = "") -> str:
    """A number as people write it and options take it: `1e-6` and `2.5e-4`, not Python's `1e-06` and `0.00025`. `form`
    is as `format` has it.
    """
    text = format(value, form)
    if 0 < abs(value) < 1e-3 and form[-1:] in ("", "g"):  # Python begins only below 1e-4
        text = format(Decimal(text), "e")
    return re.sub(r"(?<=e)(?:\+|(-))0*(?=\d)", r"\1", text)


class _Formatter(string.Formatter):
    """`str.format` with our way to write numbers."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return number(value, format_spec) if isinstance(value, float) else str(format(value, format_spec))

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return number(value) if isinstance(value, float) and conversion else super().convert_field(value, conversion)


_FORMATTER = _Formatter()


def _side_by_side(before: str, after: str, path: bool) -> str:
    """Both in one, apart as far as their languages want it; a path from all Chinese words."""
    if not path:
        if _is_chinese(before[-2:-1]) and before[-1:] == " " and _is_chinese(after[:1]):
            return before[:-1] + after
        if (_is_chinese(before[-1:]) or before.endswith("”")) and after[:1] == " " and _is_chinese(after[1:2]):
            return before + after[1:]
        if before.endswith("）") and after[:1] in (" ", "\u00a0"):
            return before + after[1:]
    ends, begins = before[-1:], after[:1]
    if path and _is_chinese(ends) and _is_chinese(begins):
        return f"{before} {after}"
    if (_is_chinese(ends) and _is_latin(begins)) or (_is_latin(ends) and _is_chinese(begins)):
        return f"{before} {after}"
    return before + after


def _is_path(value: object) -> bool:
    return isinstance(value, PurePath) or (isinstance(value, str) and value.startswith(("/", "~/", "./")))


def _is_chinese(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def in_plain_digits(text: str) -> str:
    """A number as an input method for Chinese may write it, full-width, in the usual digits: `２０％` → `20%`."""
    return unicodedata.normalize("NFKC", text)


class Texts(Mapping[str, str]):
    """A table of short texts, each said in the language in force whenever it is asked for.

    `Texts("phase", {"saving": "Saving"})["saving"]` has the code `phase.saving`.
    """

    def __init__(self, prefix: str, english: Mapping[str, str]) -> None:
        self.prefix, self.english = prefix, dict(english)

    def __getitem__(self, key: str) -> str:
        return in_force(f"{self.prefix}.{key}", self.english[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.english)

    def __len__(self) -> int:
        return len(self.english)


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
        return self._filled(self.code, self.english)

    @property
    def advice(self) -> str:
        return self._filled(f"{self.code}.mend", self.mend) if self.mend else ""

    def _filled(self, code: str, english: str) -> str:
        template = in_force(code, english)
        return filled(template, self.values) if self.values else template

    def __str__(self) -> str:
        gap = say("message.gap", " ")
        return f"{self.text}{gap}{self.advice}" if self.advice else self.text


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
    english = singular if number == 1 else plural or singular + "s"
    return say(f"count.{singular}", f"{{number}} {english}", number=f"{number:,}")


def joined(items: Iterable[object]) -> str:
    """Everything in one line, with the language's own comma."""
    return say("list.comma", ", ").join(str(item) for item in items)


def beside(facts: Iterable[object]) -> str:
    """Facts beside each other in one line, `2 pictures, 4 s`: no enumeration, which Chinese writes with `、`."""
    return say("list.facts", ", ").join(str(fact) for fact in facts)


def apart(parts: Iterable[object]) -> str:
    """Parts that may have commas of their own in one line: `buy a card; close other programs`."""
    return say("list.semicolon", "; ").join(str(part) for part in parts)


def noted(what: object, note: object) -> str:
    """Something and what is to be known of it: `a.png (64 × 64)`."""
    return say("list.noted", "{what} ({note})", what=what, note=note)


def headed(head: object, text: object) -> str:
    """A text behind what it is about: `512 × 512: 3`."""
    return say("list.headed", "{head}: {text}", head=head, text=text)


def valued(what: object, value: object) -> str:
    """Something and its value in a list: `Epochs 150`."""
    return say("list.valued", "{what} {value}", what=what, value=value)


def either(items: Iterable[object]) -> str:
    """Alternatives in one line: `64 or 96`."""
    return say("list.or", " or ").join(str(item) for item in items)


def listed(items: Iterable[object], most: int = 6) -> str:
    """The first `most` items in one line, and how many more there are."""
    names = [str(item) for item in items]
    shown = joined(names[:most])
    return say("list.more", "{shown} and {count} more", shown=shown, count=len(names) - most) if names[most:] else shown


def path_in_words(path: str | os.PathLike[str]) -> str:
    """A path that can be printed and written as UTF-8: bytes of its name that are not are shown as `\\xe4`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def size_in_words(count: float) -> str:
    """Bytes in the unit a person would use (decimal, as disks are sold): `1.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(count) < (999.5 if unit == "bytes" else 999.95) or unit == "TB":
            return say("size.bytes", "{count:.0f} bytes", count=count) if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def duration_in_words(seconds: float) -> str:
    """Seconds as `42 s`, `3 min 05 s`, `2 h 10 min` or `10 days 6 h`."""
    whole = round(seconds)
    if whole < 60:
        return say("duration.seconds", "{seconds} s", seconds=whole)
    if whole < 3600:
        return say("duration.minutes", "{minutes} min {seconds:02d} s", minutes=whole // 60, seconds=whole % 60)
    if whole >= 2 * 86400:
        return say("duration.days", "{days} days {hours} h", days=whole // 86400, hours=whole % 86400 // 3600)
    return say("duration.hours", "{hours} h {minutes:02d} min", hours=whole // 3600, minutes=whole % 3600 // 60)
