"""One's own presets: what of a configuration goes into one, and the file it is written to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from core.config.options import NAME_PATTERN, RunConfig
from core.config.parsing import put, value_at
from core.config.presets import EVERY_CONCEPT, NOT_FOR_PRESETS, SUFFIX, Preset, load_preset
from core.config.prompts import has_words
from core.config.runfile import toml_value
from core.config.table import Option, option_table
from core.files import explain, write_atomic
from core.texts import UserError, say


@dataclass(frozen=True)
class Keepable:
    """What of a configuration a preset keeps, and the options that it cannot: their texts name the subject, or
    concepts have different values of them.
    """

    values: Mapping[str, Any]
    left_out: tuple[Option, ...]


def keepable(config: RunConfig) -> Keepable:
    """All that `config` says otherwise than the program would, but for the model and what the concepts are."""
    plain = RunConfig()
    values: dict[str, Any] = {}
    left_out = []
    for option in option_table():
        numbers = range(len(config.concepts)) if option.path.startswith(EVERY_CONCEPT) else (0,)
        found = [value_at(config, option.path.replace("*", str(number))) for number in numbers]
        usual = value_at(plain, option.path.replace("*", "0"))
        if option.path.startswith(NOT_FOR_PRESETS) or all(value == usual for value in found):
            continue
        if any(value != found[0] for value in found) or (option.kind == "prompt" and _names_subject(found[0], config)):
            left_out.append(option)
        else:
            values[option.path] = found[0]
    return Keepable(values, tuple(left_out))


def save_preset(folder: Path, name: str, title: str, values: Mapping[str, Any], *, replace: bool = False) -> Preset:
    """Write `<folder>/<name>.toml`, making the folder, and read it back.

    Raises `UserError`: `preset.name` for a name that is none, `preset.exists` where there is one and it is not to be
    replaced, and whatever the disk says.
    """
    if not is_preset_name(name):
        raise UserError("preset.name", "{name!r} cannot be the name of a preset.",
                        mend="Letters, digits, - _ and . (at most 64, not starting with - or .).",
                        name=name)  # fmt: skip
    path = folder / f"{name}{SUFFIX}"
    try:
        if not replace and (path.exists() or path.is_symlink()):
            raise UserError("preset.exists", "There is a preset {name} of yours already.",
                            mend="Choose another name, or replace it.", name=name)  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, as_toml(title, values))
    except OSError as error:
        raise explain(error, path) from error
    return load_preset(path, is_own=True)


def name_rule() -> str:
    """What a name may be, as a sentence."""
    return say("preset.name-rule", "Letters, digits, - _ and . (at most 64, not starting with - or .).")


def is_preset_name(name: str) -> bool:
    """Whether `name` can be that of a file and of `--preset` everywhere."""
    return re.fullmatch(NAME_PATTERN, name) is not None and not name.startswith(("-", "."))


def as_toml(title: str, values: Mapping[str, Any]) -> str:
    """The text of a preset; `values` by option path, as `Preset` has them."""
    tables: dict[str, Any] = {}
    for path, value in values.items():
        put(tables, path.replace(EVERY_CONCEPT, "concept.", 1), toml_value(value))
    document = tomlkit.document()
    document.add(tomlkit.comment(say("own-preset.head", "A preset of dbtui: starting values for a kind of subject.")))
    document.add("title", tomlkit.item(title))
    for section, table in tables.items():
        document.add(section, tomlkit.item(table))
    return tomlkit.dumps(document)


def _names_subject(text: str, config: RunConfig) -> bool:
    words = [word for concept in config.concepts for word in (concept.instance.identifier, concept.instance.class_noun)]
    return any(word.strip() and has_words(text, word) for word in words)
