"""Presets: starting values for a kind of subject, as small TOML files.

A file has `title`, `help`, and the tables of `run.toml`; what stands under `[concept.…]` goes to every concept. Where a
number is another one for a family or for LoRA (and its kin), it stands in an overlay: `[when.sdxl]`, `[when.lora]` and
`[when.sdxl.lora]`, laid over the rest in this order. A preset never sets the model or what the concepts are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from platformdirs import user_config_path
from tomlkit.exceptions import TOMLKitError

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.table import find_option
from core.families import FAMILIES
from core.reasons import not_a_text, of_system, of_toml
from core.texts import ENGLISH, UserError, in_force, joined, language, noted, path_in_words, say

EVERY_CONCEPT = "concepts.*."
NOT_FOR_PRESETS = (
    "model.",
    "concepts.*.name",
    "concepts.*.instance.directory",
    "concepts.*.instance.identifier",
    "concepts.*.instance.class_noun",
    "concepts.*.prior.directory",
    "concepts.*.sample.template_file",
    "saving.export_name",
    "tracking.wandb_project",
)
"""The subject, the files and names of one run, and what is sent to the web: nobody else's preset may decide that."""
LORA, LORA_ENABLED = "lora", "lora.enabled"
"""The overlay for LoRA and its kin, and the option that it hangs on."""
SUFFIX = ".toml"
FIRST = ("face", "style", "object")
"""Presets for a kind of subject; one for a kind of computer stands behind them."""
LARGEST = 1_000_000
"""Bytes: a preset has a few thousand, and one that is no preset shall not be read for minutes."""


@dataclass(frozen=True)
class Preset:
    """`values` maps option paths, with `*` for the concept's number, to values; `when` has the overlays by their
    names, in the order in which they count: `sdxl`, `lora`, `sdxl.lora`.
    """

    id: str
    title: str
    help: str
    values: Mapping[str, Any]
    path: Path
    when: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_own: bool = False

    @property
    def depends_on_family(self) -> bool:
        return any(name != LORA for name in self.when)

    def wants_lora(self, family: str = "") -> bool | None:
        """Whether it chooses LoRA for a family; `None` where it leaves that as it is."""
        wanted: bool | None = ({**self.values, **self.when.get(family, {})}).get(LORA_ENABLED)
        return wanted

    def values_for(self, family: str = "", lora: bool | None = None) -> dict[str, Any]:
        """Its values for a family (empty: not known yet) and for LoRA; `None` is its own choice of that."""
        lora = bool(self.wants_lora(family)) if lora is None else lora
        overlays = (family, *((LORA, f"{family}.{LORA}") if lora else ()))
        found = dict(self.values)
        for name in overlays:
            found |= self.when.get(name, {})
        return found


@dataclass(frozen=True)
class Presets:
    """What can be chosen, by id; and why the files in one's own folder that are no presets are none, by id too."""

    known: Mapping[str, Preset]
    broken: Mapping[str, UserError] = field(default_factory=dict)

    def find(self, name: str) -> Preset:
        """The preset with that id, or that title in the language in force, in capitals or not. Raises `UserError`."""
        if name in self.known:
            return self.known[name]
        if name in self.broken:
            raise self.broken[name]
        wanted = name.strip().casefold()
        by_id = [preset for preset in self.known.values() if preset.id.casefold() == wanted]
        if found := by_id or [preset for preset in self.known.values() if preset.title.casefold() == wanted]:
            return found[0]
        ids = language() == ENGLISH  # English ids say themselves what they are for
        known = joined(id_ if ids else noted(id_, preset.title) for id_, preset in self.known.items())
        raise UserError("preset.unknown", "There is no preset {name}.", mend="Choose one of {known}.", name=name,
                        known=known)  # fmt: skip


def built_in_directory() -> Path:
    """Where the presets of the program lie: inside the installed package, or beside `core` in a checkout."""
    installed = Path(__file__).parent / "presets"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "presets"


def user_presets_directory() -> Path:
    """`$XDG_CONFIG_HOME/dbtui/presets`: the folder for one's own presets (it need not exist)."""
    return user_config_path("dbtui") / "presets"


def built_in_presets() -> dict[str, Preset]:
    """The presets that come with the program, by id; what most people teach comes first, as lists show it."""
    found = (load_preset(path) for path in built_in_directory().glob(f"*{SUFFIX}"))
    return {
        preset.id: preset
        for preset in sorted(found, key=lambda preset: (*(preset.id != first for first in FIRST), preset.id))
    }


def load_presets(own: Path | None) -> Presets:
    """The built-in presets, then those in the folder `own`; one of the same name stands in the built-in one's place.

    A file in `own` that is no preset is told of in `broken` and stops none of the others.
    """
    known, broken = built_in_presets(), {}
    try:
        names = sorted(entry.name for entry in os.scandir(own)) if own is not None else []
    except FileNotFoundError:
        names = []
    except OSError as error:
        names, broken[""] = [], _unreadable(own or Path(), of_system(error))
    for name in names:
        if own is not None and name.endswith(SUFFIX) and not name.startswith("."):
            try:
                known[name.removesuffix(SUFFIX)] = load_preset(own / name, is_own=True)
            except UserError as error:
                broken[name.removesuffix(SUFFIX)] = error
    return Presets(known, broken)


def load_preset(path: Path, *, is_own: bool = False) -> Preset:
    """The preset in one file; a `UserError` names the file and what is wrong with it."""
    raw = _read(path)
    try:
        title, advice = (_words(raw, key) for key in ("title", "help"))
        if path.parent == built_in_directory():
            title, advice = (in_force(f"preset.{path.stem}.{part}", text) for part, text in
                             (("title", title), ("help", advice)))  # fmt: skip
        overlays = _overlays(_table(raw.pop("when", {}), "when"))
        when = dict(sorted(overlays, key=lambda overlay: (overlay[0] == LORA) + 2 * ("." in overlay[0])))
        values = _values(raw)
        preset = Preset(path.stem, title or path.stem, advice, values, path, when, is_own)
        for overlay in (values, *when.values()):
            _check(overlay)
    except UserError as error:
        raise UserError("preset.invalid", "The preset {path} is not right: {reason}",
                        mend="Mend the file or move it out of the folder.", path=path_in_words(path),
                        reason=str(error)) from error  # fmt: skip
    return preset


def apply(config: RunConfig, preset: Preset, family: str = "", lora: bool | None = None) -> RunConfig:
    """`config` with the preset's values for a family and for LoRA; everything that it does not name stays.

    Without `lora` it is the preset that chooses LoRA, and where it does not, `config`.
    """
    if lora is None and preset.wants_lora(family) is None:
        lora = config.lora.enabled
    return with_values(config, preset.values_for(family, lora))


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """`config` with values by option path; those under `concepts.*.` go to each of its concepts."""
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name.startswith(EVERY_CONCEPT):
            rest = name.removeprefix(EVERY_CONCEPT)
            changes |= {f"concepts.{number}.{rest}": value for number in range(len(config.concepts))}
        else:
            changes[name] = value
    return with_changes(config, changes)


def _read(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise _unreadable(path, say("preset.no-file", "it is not a file"))
        if path.stat().st_size > LARGEST:
            raise _unreadable(path, say("preset.large", "it is far too large for one"))
        raw: dict[str, Any] = tomlkit.parse(path.read_bytes().decode("utf-8-sig")).unwrap()
    except UnicodeDecodeError as error:
        raise _unreadable(path, not_a_text()) from error
    except OSError as error:
        raise _unreadable(path, of_system(error)) from error
    except TOMLKitError as error:
        raise _unreadable(path, of_toml(error)) from error
    return raw


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError("preset.unreadable", "The preset {path} cannot be read: {reason}.",
                     mend="It must be a TOML file; mend it or move it out of the folder.",
                     path=path_in_words(path), reason=reason.rstrip("."))  # fmt: skip


def _words(raw: dict[str, Any], key: str) -> str:
    text = raw.pop(key, "")
    if not isinstance(text, str):
        raise UserError("preset.words", "{key} must be a text in quotes.", key=key)
    return text.strip()


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError("preset.table", "{name} must be a table of options: [{name}].", name=name)
    return value


def _overlays(when: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and values of each overlay."""
    for name, raw in when.items():
        table = dict(_table(raw, f"when.{name}"))
        if name == LORA:
            yield LORA, _for_lora(LORA, table)
        elif name in FAMILIES:
            inner = table.pop(LORA, None)
            if table:
                yield name, _values(table)
            if inner is not None:
                yield f"{name}.{LORA}", _for_lora(f"{name}.{LORA}", _table(inner, f"when.{name}.{LORA}"))
        else:
            raise UserError("preset.when", "[when.{name}] is for nothing: there are {known} and lora.", name=name,
                            known=joined(FAMILIES))  # fmt: skip


def _for_lora(overlay: str, table: dict[str, Any]) -> dict[str, Any]:
    """The values of an overlay for LoRA: it has sections, as a file has, and does not turn LoRA on or off itself."""
    bare = next((key for key, value in table.items() if not isinstance(value, dict) and "." not in key), None)
    if bare is not None:
        raise UserError("preset.section", "{key} in [when.{overlay}] is in no section: write [when.{overlay}.lora] for "
                        "options of LoRA. One that holds for a family, LoRA or not, is written in quotes: "
                        '"lora.{key}" in [when.<family>].', key=bare, overlay=overlay)  # fmt: skip
    values = _values(table)
    if LORA_ENABLED in values:
        raise UserError("preset.method", "[when.{overlay}] cannot turn LoRA on or off: it counts where LoRA is on.",
                        overlay=overlay)  # fmt: skip
    return values


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("concept.", EVERY_CONCEPT, 1) if name.startswith("concept.") else name: value
            for name, value in _flat(table, "")}  # fmt: skip


def _check(values: Mapping[str, Any]) -> None:
    """Every name an option that a preset may set, every value one that it takes. Raises `UserError`."""
    for name in values:
        find_option(name.replace("*", "0"))
        if name.startswith(NOT_FOR_PRESETS):
            raise UserError("preset.subject", "{name} belongs to a run, not to a preset.", name=name)
    with_values(RunConfig(), values)


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
