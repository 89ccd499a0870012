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

from core.families import FAMILIES, keys, recognise
from core.families.family import Configs, Family
from core.families.stored import Parts, StoredTensor, WeightFile, read_json, read_weight_file
from core.families.wholeness import check_configs
from core.reasons import of_json
from core.texts import UserError, counted, either, listed, path_in_words, say

CONFIGS_KEY = "dbtui.configs"
SIDECAR_SUFFIX = ".configs.json"
V_MARK, ZERO_SNR_MARK = "v_pred", "ztsnr"
"""Names of empty tensors by which ComfyUI and its kin know a v-prediction model, and one with zero terminal SNR."""

_PREDICTION_TYPES = {"epsilon": "epsilon", "eps": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction",
                     "sample": "sample"}  # fmt: skip


def sidecar(path: Path) -> Path:
    """Where the configs of the single file at `path` stand if they are not in it."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


class Undecided(UserError):
    """A file whose names and shapes fit more than one family, and that does not say which; `families` are their ids."""

    def __init__(self, path: Path, families: list[Family]) -> None:
        super().__init__(
            "source.undecided",
            "{path} may be {families}: their files look the same, and this one does not say what it is.",
            mend="Set Family (model.family) to {ids}, whichever it is. The page where it comes from says "
            "whether it predicts v (768 px) or the noise (512 px); a wrong choice gives pictures of noise.",
            path=path_in_words(path), families=either(family.title for family in families),
            ids=either(family.id for family in families),
        )  # fmt: skip
        self.families = tuple(family.id for family in families)


def read(path: Path, chosen: str = "auto") -> tuple[Family, Parts]:
    """The family and the parts of a file. `chosen` is the id of the family that a person named: it decides where the
    file itself does not.

    `UserError` says what the file is where it is no whole model, `Undecided` where it may be of two families.
    """
    file = read_weight_file(path)
    refuse_foreign(recognise.foreign_single_file(file.tensors), path)
    family = _family(file, chosen)
    configs = _configs(file, family)
    check_configs(configs, family, path)
    tensors: dict[str, dict[str, StoredTensor]] = {}
    for component in family.components:
        tensors[component] = _component(component, file, family, configs)
        if not tensors[component]:
            raise UserError(
                "source.incomplete", "{path} has no {component}: it is only a part of a {family} model.",
                mend="Take the full file of the model, with UNet, VAE and text encoder in it.",
                path=path_in_words(path), component=component, family=family.title,
            )  # fmt: skip
    return family, Parts(file.kind, configs, tensors, {})


def refuse_foreign(found: str | None, path: Path) -> None:
    """Raise `UserError` where `found` says what a source is instead of a model that is trained here."""
    if found is not None:
        raise UserError(
            "source.foreign", "{path} is {found}. What is trained here: {families}.",
            mend="Choose such a model: a diffusers folder, or a single file with UNet, VAE and text encoder.",
            path=path_in_words(path), found=found, families=listed(family.title for family in FAMILIES.values()),
        )  # fmt: skip


def _family(file: WeightFile, chosen: str) -> Family:
    """By names and shapes; where these fit several, by what the file says it predicts or is, then by `chosen`."""
    found = [family for family in FAMILIES.values() if family.is_file(file.tensors)]
    if not found:
        refuse_foreign(recognise.FOUND["other"], file.path)
    said = _prediction_type(file)
    architecture = file.metadata.get("modelspec.architecture", "").strip().lower()
    for decides in (
        lambda family: said in family.predictions,
        lambda family: architecture == family.modelspec,
        lambda family: chosen == family.id,
    ):
        if len(found) > 1:
            found = [family for family in found if decides(family)] or found
    if len(found) > 1:
        raise Undecided(file.path, found)
    return found[0]


def _component(component: str, file: WeightFile, family: Family, configs: Configs) -> dict[str, StoredTensor]:
    prefix = family.prefix(component)
    found: dict[str, StoredTensor] = {}
    unknown: list[str] = []
    for name, tensor in file.tensors.items():
        if not name.startswith(prefix) or keys.is_left_out(family, component, name, configs):
            continue
        try:
            for parameter, place in keys.from_single_file(family, component, name, configs):
                found[parameter] = tensor.part(place.third, place.transposed)
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
        return configs | {name: own[name] for name in configs if name in own}
    said: dict[str, Any] = {}
    if (prediction := _prediction_type(file)) is not None:
        said["prediction_type"] = prediction
    if ZERO_SNR_MARK in file.tensors:
        said["rescale_betas_zero_snr"] = True
    return configs | {"scheduler": {**configs["scheduler"], **said}}


def _prediction_type(file: WeightFile) -> str | None:
    """What the file says its model predicts: its own scheduler config, a mark among the tensors, or ModelSpec."""
    own = _own_configs(file)
    if own is not None and "scheduler" in own:
        return str(own["scheduler"].get("prediction_type", "epsilon"))
    if V_MARK in file.tensors:
        return "v_prediction"
    said = file.metadata.get("modelspec.prediction_type")
    return _PREDICTION_TYPES.get(said.strip().lower()) if said else None


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
        raise _strange_configs(file.path, CONFIGS_KEY, TypeError(say("source.no-tables", "not a table of tables")))
    return own


def _strange_configs(path: Path, where: str, error: Exception) -> UserError:
    return UserError(
        "source.config-unreadable", "The configs that {path} brings cannot be used ({where}: {reason}).",
        mend="Copy or download the file again.", path=path_in_words(path), where=where, reason=of_json(error),
    )  # fmt: skip
