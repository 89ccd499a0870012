"""`run.toml`: what was asked for, complete, with a comment above each option in the language in force."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item, Table

from core.config.options import RunConfig
from core.config.parsing import parse
from core.config.table import Option, find_option
from core.languages.breaking import in_lines
from core.reasons import of_system, of_toml
from core.texts import UserError, headed, joined, noted, number, say

WRITTEN_BY, MADE_FROM = "written_by", "made_from_preset"
"""What stands above the options: the version that wrote it, and the preset whose values it began with, if any."""

_TWICE = re.compile(r'Key "(.+)" already exists')
"""How tomlkit says it: in an error of its own, or in one of its parser, whose line is that of the text's end."""


def to_toml(config: RunConfig, written_by: str = "", made_from: str = "") -> str:
    """The text of `run.toml`; `from_toml` reads it back equal. `made_from` is the id of a preset."""
    document = tomlkit.document()
    document.add(tomlkit.comment(say("runfile.head", "A run of dbtui. `dbtui check` says what is wrong with it, `dbtui "
                                     "train` trains it.")))  # fmt: skip
    for name, value in ((WRITTEN_BY, written_by), (MADE_FROM, made_from)):
        if value:
            document.add(name, tomlkit.item(value))
    raw = config.model_dump(mode="python")
    for section, values in raw.items():
        if section == "concepts":
            array = tomlkit.aot()
            for number, concept in enumerate(values):
                array.append(_table(concept, f"concepts.{number}"))
            document.add(section, array)
        else:
            document.add(section, _table(values, section))
    return tomlkit.dumps(document)


def from_toml(text: str, where: str = "run.toml") -> RunConfig:
    """The configuration in a `run.toml`. Raises `UserError` for bad TOML, `ConfigError` for bad options."""
    try:
        raw: dict[str, Any] = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        twice = _TWICE.match(str(error))
        if twice is not None:
            raise UserError("config.twice", "{where} says {key} twice.", mend="Keep the one that you mean.",
                            where=where, key=twice[1]) from error  # fmt: skip
        raise UserError(
            "config.toml",
            "{where} is not valid TOML: {reason}.",
            mend="Texts stand in quotes, tables in [brackets]; `dbtui new` writes a correct file.",
            where=where,
            reason=of_toml(error),
        ) from error
    for name in (WRITTEN_BY, MADE_FROM):
        raw.pop(name, None)
    return parse(raw, where)


def fingerprint(config: RunConfig) -> str:
    """A hash of every option's value (sha256, the first 16 digits)."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


def read(path: Path) -> RunConfig:
    """The configuration in the file at `path`; a `UserError` if it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # editors on Windows begin a file with a byte order mark
    except OSError as error:
        raise UserError("config.unreadable", "{path} cannot be read: {reason}.",
                        mend="Check the path, or make a file with `dbtui new`.", path=path,
                        reason=of_system(error)) from error  # fmt: skip
    except UnicodeDecodeError as error:
        raise UserError("config.encoding", "{path} is not text in UTF-8.", mend="Is it the right file?",
                        path=path) from error  # fmt: skip
    return from_toml(text, str(path))


def made_from(path: Path) -> str:
    """The id of the preset that the `run.toml` at `path` says it was made from; empty where it says nothing."""
    try:
        said = tomllib.loads(path.read_bytes().decode("utf-8-sig")).get(MADE_FROM, "")
    except (OSError, ValueError):
        return ""
    return said if isinstance(said, str) else ""


def _table(values: dict[str, Any], path: str) -> Table:
    table = tomlkit.table()
    for name, value in values.items():
        if isinstance(value, dict):
            table.add(name, _table(value, f"{path}.{name}"))
        else:
            for line in _comment(find_option(f"{path}.{name}")):
                table.add(tomlkit.comment(line))
            table.add(name, toml_value(value))
    return table


def toml_value(value: Any) -> Item:
    """A value as the file has it: `1e-6`, never `1e-06`."""
    return tomlkit.value(number(value)) if isinstance(value, float) else tomlkit.item(value)


def _comment(option: Option) -> list[str]:
    unit = noted("", option.unit) if option.unit else ""
    text = headed(option.title.removesuffix(unit) + unit, option.help)
    if option.choices:
        text += say("message.gap", " ") + say("runfile.choices", "One of {choices}.", choices=joined(option.choices))
    return in_lines(text, 110)
