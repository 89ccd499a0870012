"""A single `.safetensors` or `.ckpt` file taken apart.

Its configs are those of the family's published model, unless the file brings its own: in the metadata of a
`.safetensors` (`dbtui.configs`, JSON), or beside it as `<name>.configs.json`. This program writes them where a model
has unusual sizes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.families import keys, recognise
from core.families.family import Configs, Family
from core.families.stored import Parts, StoredTensor, WeightFile, read_json, read_weight_file
from core.families.wholeness import check_configs
from core.texts import UserError, counted, listed, path_in_words

CONFIGS_KEY = "dbtui.configs"
SIDECAR_SUFFIX = ".configs.json"

_PREDICTION_TYPES = {"epsilon": "epsilon", "eps": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction",
                     "sample": "sample"}  # fmt: skip


def sidecar(path: Path) -> Path:
    """Where the configs of the single file at `path` stand if they are not in it."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def read(path: Path, family: Family) -> Parts:
    """`UserError` says what the file is where it is no whole model of the family."""
    file = read_weight_file(path)
    refuse_foreign(recognise.foreign_single_file(file.tensors), family, path)
    configs = _configs(file, family)
    check_configs(configs, path)
    tensors: dict[str, dict[str, StoredTensor]] = {}
    for component in family.components:
        tensors[component] = _component(component, file, configs)
        if not tensors[component]:
            raise UserError(
                "source.incomplete", "{path} has no {component}: it is only a part of a {family} model.",
                mend="Take the full file of the model, with UNet, VAE and text encoder in it.",
                path=path_in_words(path), component=component, family=family.title,
            )  # fmt: skip
    return Parts(file.kind, configs, tensors, None)


def refuse_foreign(found: str | None, family: Family, path: Path) -> None:
    """Raise `UserError` where `found` says what a source is instead of a model of the family."""
    if found is not None:
        raise UserError(
            "source.foreign", "{path} is {found}. This version trains {family} models.",
            mend="Choose a {family} model: a diffusers folder, or a single file with UNet, VAE and text encoder.",
            path=path_in_words(path), found=found, family=family.title,
        )  # fmt: skip


def _component(component: str, file: WeightFile, configs: Configs) -> dict[str, StoredTensor]:
    prefix = keys.PREFIXES[component]
    found: dict[str, StoredTensor] = {}
    unknown: list[str] = []
    for name, tensor in file.tensors.items():
        if not name.startswith(prefix) or keys.is_left_out(component, name):
            continue
        try:
            found[keys.from_single_file(component, name, configs)] = tensor
        except KeyError:
            unknown.append(name)
    refuse_unexpected(component, unknown, file.path)
    return found


def refuse_unexpected(component: str, names: list[str], path: Path) -> None:
    """Raise `UserError` if `names`, the parameters that a component has too many, are any."""
    if names:
        raise UserError(
            "source.unexpected-weights",
            "{path} holds {count} that its {component} has no place for, among them {names}.",
            mend="It is another kind of model, or one with additions that this program would lose. Take the plain "
            "model.",
            path=path_in_words(path), component=component, count=counted(len(names), "weight"),
            names=listed(names, 3),
        )  # fmt: skip


def _configs(file: WeightFile, family: Family) -> Configs:
    own = _own_configs(file)
    configs: dict[str, Mapping[str, Any]] = dict(family.shipped_configs())
    if own is not None:
        configs |= {name: own[name] for name in configs if name in own}
    said = file.metadata.get("modelspec.prediction_type")
    prediction = _PREDICTION_TYPES.get(said.strip().lower()) if said else None
    if "v_pred" in file.tensors:
        prediction = "v_prediction"
    if own is None and prediction is not None:
        configs["scheduler"] = {**configs["scheduler"], "prediction_type": prediction}
    return configs


def _own_configs(file: WeightFile) -> Mapping[str, Mapping[str, Any]] | None:
    if CONFIGS_KEY in file.metadata:
        try:
            own = json.loads(file.metadata[CONFIGS_KEY])
        except (ValueError, RecursionError) as error:
            raise _strange_configs(file.path, CONFIGS_KEY, error) from error
    elif sidecar(file.path).exists():
        own = read_json(sidecar(file.path))
    else:
        return None
    if not isinstance(own, dict) or not all(isinstance(config, dict) for config in own.values()):
        raise _strange_configs(file.path, CONFIGS_KEY, TypeError("not a table of tables"))
    return own


def _strange_configs(path: Path, where: str, error: Exception) -> UserError:
    return UserError(
        "source.config-unreadable", "The configs that {path} brings cannot be used ({where}: {reason}).",
        mend="Copy or download the file again.", path=path_in_words(path), where=where, reason=str(error),
    )  # fmt: skip
