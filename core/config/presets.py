"""Presets: starting values for a kind of subject, as small TOML files.

A file has `title`, `help`, and the tables of `run.toml`; what stands under `[concept.…]` goes to every concept. A
preset never sets the model or what the concepts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from platformdirs import user_config_path
from tomlkit.exceptions import TOMLKitError

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.table import find_option
from core.texts import UserError, in_force

EVERY_CONCEPT = "concepts.*."
NOT_FOR_PRESETS = (
    "model.",
    "concepts.*.name",
    "concepts.*.instance.directory",
    "concepts.*.instance.identifier",
    "concepts.*.instance.class_noun",
    "concepts.*.prior.directory",
)


@dataclass(frozen=True)
class Preset:
    """`values` maps option paths, with `*` for the concept's number, to values."""

    id: str
    title: str
    help: str
    values: Mapping[str, Any]
    path: Path


def built_in_directory() -> Path:
    """Where the presets of the program lie: inside the installed package, or beside `core` in a checkout."""
    installed = Path(__file__).parent / "presets"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "presets"


def user_presets_directory() -> Path:
    """`$XDG_CONFIG_HOME/dbtui/presets`: the folder for one's own presets (it need not exist)."""
    return user_config_path("dbtui") / "presets"


def load_presets(own: Path | None) -> dict[str, Preset]:
    """The built-in presets, then those in the folder `own`; one of the same name stands in the built-in one's place.

    Raises `UserError` for a file that is not a preset.
    """
    folders = [built_in_directory(), *([own] if own is not None and own.is_dir() else [])]
    return {path.stem: load_preset(path) for folder in folders for path in sorted(folder.glob("*.toml"))}


def load_preset(path: Path) -> Preset:
    """The preset in one file; a `UserError` names the file and everything wrong with it."""
    try:
        raw: dict[str, Any] = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise UserError("preset.unreadable", "The preset {path} cannot be read: {reason}.",
                        mend="It must be a TOML file; mend it or move it out of the folder.",
                        path=path, reason=str(error).rstrip(".")) from error  # fmt: skip
    title, advice = (str(raw.pop(key, "")).strip() for key in ("title", "help"))
    values = {name.replace("concept.", EVERY_CONCEPT, 1) if name.startswith("concept.") else name: value
              for name, value in _flat(raw, "")}  # fmt: skip
    if path.parent == built_in_directory():
        title, advice = (in_force(f"preset.{path.stem}.{part}", text) for part, text in
                         (("title", title), ("help", advice)))  # fmt: skip
    preset = Preset(path.stem, title or path.stem, advice, values, path)
    try:
        for name in values:
            _refuse_subject(name)
        apply(RunConfig(), preset)
    except UserError as error:
        raise UserError("preset.invalid", "The preset {path} is not right: {reason}",
                        mend="Mend the file or move it out of the folder.", path=path,
                        reason=error.message.text) from error  # fmt: skip
    return preset


def apply(config: RunConfig, preset: Preset) -> RunConfig:
    """`config` with the preset's values; everything that the preset does not name stays."""
    changes: dict[str, Any] = {}
    for name, value in preset.values.items():
        if name.startswith(EVERY_CONCEPT):
            rest = name.removeprefix(EVERY_CONCEPT)
            changes |= {f"concepts.{number}.{rest}": value for number in range(len(config.concepts))}
        else:
            changes[name] = value
    return with_changes(config, changes)


def _refuse_subject(name: str) -> None:
    find_option(name.replace("*", "0"))
    if name.startswith(NOT_FOR_PRESETS):
        raise UserError("preset.subject", "{name} belongs to a run, not to a preset.", name=name)


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
