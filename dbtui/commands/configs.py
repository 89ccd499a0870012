"""Configurations as the commands take them: a file, changes of single options, paths from where the person stands."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.config.options import RunConfig
from core.config.parsing import read_assignment, value_at, with_changes
from core.config.runfile import read
from core.config.table import find_option, option_table


def read_config(path: Path) -> RunConfig:
    """The `run.toml` at `path`, its relative paths made absolute. Raises `UserError` for everything wrong in it."""
    return with_absolute_paths(read(path))


def read_assignments(texts: Iterable[str]) -> dict[str, Any]:
    """`["batch.size=2"]` → `{"batch.size": "2"}`; the last word on an option counts."""
    return dict(read_assignment(text) for text in texts)


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """Relative paths count from the current directory, `~` is the home: a run must find its files from anywhere.

    A source that is no file or folder here stays as it is: it may be a hub id.
    """
    changes = {}
    for path in option_paths(config):
        value = value_at(config, path)
        if find_option(path).kind not in ("path", "directory") or not value:
            continue
        absolute = Path(value).expanduser().absolute()
        if path != "model.source" or absolute.exists():
            changes[path] = str(absolute)
    return with_changes(config, changes)


def option_paths(config: RunConfig) -> list[str]:
    """The path of every option of `config`: `concepts.0.…`, `concepts.1.…` for as many concepts as there are."""
    return [
        option.path.replace("*", str(number))
        for option in option_table()
        for number in range(len(config.concepts) if "*" in option.path else 1)
    ]
