"""Configurations as the commands take them: a file, and changes of single options."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.config.options import RunConfig
from core.config.parsing import read_assignment, value_at
from core.config.runfile import read
from core.config.settle import absolute_paths
from core.config.table import option_table


def read_config(path: Path) -> RunConfig:
    """The `run.toml` at `path`, its paths counted from the current directory. Raises `UserError`."""
    return absolute_paths(read(path))


def read_assignments(texts: Iterable[str]) -> dict[str, Any]:
    """`["batch.size=2"]` → `{"batch.size": "2"}`; the last word on an option counts."""
    return dict(read_assignment(text) for text in texts)


def option_paths(config: RunConfig) -> list[str]:
    """The path of every option of `config`: `concepts.0.…`, `concepts.1.…` for as many concepts as there are."""
    return [
        option.path.replace("*", str(number))
        for option in option_table()
        for number in range(len(config.concepts) if "*" in option.path else 1)
    ]


def differences(asked: RunConfig, held: RunConfig) -> dict[str, Any]:
    """What `asked` says otherwise than the run's own `held`: option path → value.

    What a run settles when it is made (seeds of -1, names left empty) is no difference.
    """
    known = frozenset(option_paths(held))
    changes = {}
    for path in option_paths(asked):
        value = value_at(asked, path)
        is_open = (path.endswith(".seed") and value == -1) or (path.endswith(".name") and value == "")
        if not is_open and (path not in known or value != value_at(held, path)):
            changes[path] = value
    return changes
