"""From values as people write them to a `RunConfig`, and changes of one option at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from core.config.findings import ConfigError, Finding, Fix, Level
from core.config.options import RunConfig
from core.config.prompts import slug
from core.config.table import did_you_mean, english_table, find_option, generic, option_table
from core.texts import Message, UserError, in_plain_digits, message

Raw = Mapping[str, Any]
"""Nested tables as TOML has them; `concepts` is a list."""


def parse(raw: Raw, where: str = "") -> RunConfig:
    """The configuration in `raw`, types taken strictly. Raises `ConfigError` with every finding at once."""
    config, findings = _validate(raw, strict=True)
    if config is None:
        raise ConfigError(findings, where)
    return config


def parse_leniently(raw: Raw) -> tuple[RunConfig, list[Finding]]:
    """For a form: texts are taken as numbers; an invalid value is a finding and its default stands in its place."""
    config, findings = _validate(raw, strict=False)
    if config is not None:
        return config, []
    valid = copy.deepcopy(dict(raw))
    for finding in findings:
        _drop(valid, finding.field.split("."))
    config, rest = _validate(valid, strict=False)
    return config or RunConfig(), findings + rest


def with_changes(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """`config` with each option path set to its value; texts are taken as numbers where the option is one.

    Raises `UserError` for an unknown path and `ConfigError` for a bad value.
    """
    raw = config.model_dump(mode="python")
    for path, value in changes.items():
        find_option(path)
        put(raw, path, value)
    changed, findings = _validate(raw, strict=False)
    if changed is None:
        raise ConfigError(findings)
    return changed


def read_assignment(text: str) -> tuple[str, str]:
    """`"batch.size=2"` → `("batch.size", "2")`; a `UserError` for an unknown path or a missing `=`."""
    path, equals, value = text.partition("=")
    if not equals:
        raise UserError(
            "config.assignment",
            "--set takes section.option=value; {text!r} has no =.",
            mend="For example: --set batch.size=2",
            text=text,
        )
    find_option(path.strip())
    return path.strip(), value.strip()


def value_at(config: RunConfig, path: str) -> Any:
    """The value of one option: `value_at(config, "concepts.0.sample.count")`."""
    value: Any = config
    for part in path.split("."):
        value = value[int(part)] if part.isdigit() else getattr(value, part)
    return value


def put(raw: dict[str, Any], path: str, value: Any) -> None:
    """Set `path` in nested tables, making tables (and one concept after the last) where they are missing."""
    *parents, last = path.split(".")
    table: Any = raw
    for part, following in zip(parents, [*parents[1:], last], strict=True):
        if isinstance(table, list):
            index = int(part)
            if index > len(table):
                raise UserError("config.concept-missing", "There is no concept {index}: the run has {count}.",
                                mend="Concepts are numbered from 0.", index=index, count=len(table))  # fmt: skip
            if index == len(table):
                table.append({})
            table = table[index]
        else:
            held = table.setdefault(part, [] if following.isdigit() else {})
            if isinstance(held, tuple):
                held = table[part] = list(held)
            table = held
    table[last] = value


def _with_plain_digits(raw: Any, path: str = "") -> Any:
    """`raw` with every text of an option that takes a number in plain digits."""
    if isinstance(raw, Mapping):
        return {name: _with_plain_digits(value, f"{path}.{name}" if path else str(name)) for name, value in raw.items()}
    if isinstance(raw, (list, tuple)):
        return type(raw)(_with_plain_digits(value, f"{path}.{number}") for number, value in enumerate(raw))
    if isinstance(raw, str) and not raw.isascii() and generic(path) in _numbers():
        return in_plain_digits(raw)
    return raw


@lru_cache(maxsize=1)
def _numbers() -> frozenset[str]:
    return frozenset(option.path for option in english_table() if option.takes_number)


def _validate(raw: Raw, *, strict: bool) -> tuple[RunConfig | None, list[Finding]]:
    values = dict(raw) if strict else _with_plain_digits(raw)
    if isinstance(values.get("concepts"), list):
        values["concepts"] = tuple(values["concepts"])
    try:
        return RunConfig.model_validate(values, strict=strict), []
    except ValidationError as error:
        details = [dict(detail) for detail in error.errors(include_url=False)]
    found = (_finding(detail, values) for detail in details)
    unique = {(finding.field, finding.code): finding for finding in found}
    inside_concepts = any(path.startswith("concepts.") for path, _ in unique)
    return None, [
        finding for finding in unique.values() if not (finding.code == "config.concept-missing" and inside_concepts)
    ]  # pydantic counts only sound concepts, so one that is wrong inside is reported as missing too


def _finding(detail: dict[str, Any], values: Mapping[str, Any]) -> Finding:
    path = _path_of(detail["loc"])
    fixes = (Fix(message("fix.name", "Name it {name}", name=new), {path: new}),) if (
        path == "model.name" and (new := _possible_name(values))) else ()  # fmt: skip
    return Finding(Level.ERROR, path, _message(path, detail), fixes)


def _possible_name(values: Mapping[str, Any]) -> str:
    """For a run whose own name cannot be used: what of it can, else its identifier and class, else `run-1`."""
    try:
        if own := slug(str(values["model"]["name"])):
            return own
    except (AttributeError, KeyError, TypeError):
        pass
    try:
        first = values["concepts"][0]["instance"]
        words = f"{first.get('identifier', '')} {first.get('class_noun', '')}"
    except (AttributeError, IndexError, KeyError, TypeError):
        words = ""
    return slug(words) or "run-1"


def _message(path: str, detail: dict[str, Any]) -> Message:
    if detail["type"] == "extra_forbidden":
        return message("config.unknown", "There is no option {path}.{nearest}", path=path, nearest=did_you_mean(path))
    if detail["type"] == "too_short":
        return message("config.concept-missing", "A run needs at least one concept.",
                       mend="Write a table [[concepts]] with [concepts.instance] in it.")  # fmt: skip
    if path == "concepts":
        return message("config.type", "concepts must be a list of tables, each headed [[concepts]], not {value!r}.",
                       value=_short(detail["input"]))  # fmt: skip
    try:
        expected = find_option(path)
    except UserError:
        return message("config.type", "{path} must be a table of options, not {value!r}.", path=path,
                       value=_short(detail["input"]))  # fmt: skip
    if detail["input"] == "":
        return message("config.value", "{title} must be {expectation}; it is empty.", title=expected.title,
                       expectation=expected.expectation, path=path)  # fmt: skip
    return message("config.value", "{title} must be {expectation}, not {value!r}.", title=expected.title,
                   expectation=expected.expectation, value=_short(detail["input"]), path=path)  # fmt: skip


def _path_of(loc: tuple[int | str, ...]) -> str:
    """The option's path: pydantic appends the branch of a union to it, which is no option of ours."""
    path = ".".join(str(part) for part in loc)
    known = {option.path for option in option_table()}
    while path and generic(path) not in known and generic(path).rpartition(".")[0] in known:
        path = path.rpartition(".")[0]
    return path


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= 60 else text[:57] + "…"


def _drop(table: Any, parts: list[str]) -> None:
    *parents, last = parts
    for part in parents:
        try:
            table = table[int(part)] if part.isdigit() else table[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(table, dict):
        table.pop(last, None)
    elif isinstance(table, list):
        table[int(last)] = {}
