"""Another VAE in a source's place: a diffusers folder or a single file, of a VAE alone or of a whole model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.families import FAMILIES, keys
from core.families.family import Family
from core.families.single_file import refuse_unexpected
from core.families.stored import StoredTensor, read_json, read_weight_file
from core.families.wholeness import check_component, check_configs
from core.texts import UserError, path_in_words

if TYPE_CHECKING:
    from core.families.describe import SourceDescription

COMPONENT = "vae"
BESIDE_WEIGHTS = ("loss.", "model_ema.")
"""What a file of the VAE's own training holds beside it."""
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
           "diffusion_pytorch_model.bin")  # fmt: skip
"""The weights in a VAE's folder, by preference."""


def with_vae(source: SourceDescription, vae: str) -> SourceDescription:
    """`source` with the VAE at `vae` instead of its own.

    A file without a config of its own has that of the source's VAE. Raises `UserError`: `vae.missing`, `vae.none`,
    `vae.other-size`, and what may be wrong with weights and configs.
    """
    family = FAMILIES[source.family]
    path = _there(vae)
    config, tensors = _folder(path) if path.is_dir() else _file(path, family, source.configs)
    configs = {**source.configs, COMPONENT: config}
    check_configs(configs, family, path)
    if _shape(config) != _shape(source.configs[COMPONENT]):
        raise UserError(
            "vae.other-size", "The VAE in {path} makes latents of another size than {source} was trained with.",
            mend="Choose a VAE for {family}, or leave Another VAE (model.vae) empty.",
            path=path_in_words(path), source=source.source, family=family.title,
        )  # fmt: skip
    check_component(COMPONENT, tensors, configs, path)
    return replace(
        source,
        configs=configs,
        tensors={**source.tensors, COMPONENT: tensors},
        parameters={**source.parameters, COMPONENT: sum(tensor.elements for tensor in tensors.values())},
    )


def _shape(config: Mapping[str, Any]) -> tuple[int, int]:
    return len(config["block_out_channels"]), int(config.get("latent_channels", 4))


def _there(vae: str) -> Path:
    try:
        path = Path(vae).expanduser()
        if path.exists():
            return path
    except (OSError, ValueError, RuntimeError):  # RuntimeError: the home of a user who does not exist
        pass
    raise UserError(
        "vae.missing", "The VAE {path} cannot be found.",
        mend="Name a folder that diffusers wrote or a .safetensors or .ckpt file, or leave Another VAE "
        "(model.vae) empty.",
        path=path_in_words(vae),
    )  # fmt: skip


def _folder(path: Path) -> tuple[Mapping[str, Any], dict[str, StoredTensor]]:
    """Of a VAE, or of a whole model with a folder `vae` in it."""
    own = path / COMPONENT if (path / COMPONENT / "config.json").exists() else path
    weights = next((own / name for name in WEIGHTS if (own / name).exists()), None)
    if weights is None or not (own / "config.json").exists():
        raise _none(path)
    found = {keys.from_folder(COMPONENT, name): tensor for name, tensor in read_weight_file(weights).tensors.items()}
    return read_json(own / "config.json"), found


def _file(
    path: Path, family: Family, configs: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, Any], dict[str, StoredTensor]]:
    """Of a VAE in the original layout or diffusers', or of a whole model in the original one."""
    tensors = read_weight_file(path).tensors
    prefix = family.prefix(COMPONENT)
    if any(name.startswith(prefix) for name in tensors):
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    config = configs[COMPONENT]
    if any(name.startswith("encoder.down_blocks.") for name in tensors):
        beside = path.with_name("config.json")
        if beside.exists() and read_json(beside).get("_class_name") == "AutoencoderKL":
            config = read_json(beside)
        return config, {keys.from_folder(COMPONENT, name): tensor for name, tensor in tensors.items()}
    if not any(name.removeprefix(prefix).startswith("encoder.down.") for name in tensors):
        raise _none(path)
    found: dict[str, StoredTensor] = {}
    unknown: list[str] = []
    for name, tensor in tensors.items():
        if name.startswith(BESIDE_WEIGHTS):
            continue
        try:
            for parameter, place in keys.from_single_file(family, COMPONENT, name, configs):
                found[parameter] = tensor.part(place.third, place.transposed)
        except KeyError:
            unknown.append(name)
    refuse_unexpected(COMPONENT, unknown, path)
    return config, found


def _none(path: Path) -> UserError:
    return UserError(
        "vae.none", "There is no VAE in {path}.",
        mend="Name the folder of a VAE (with its config.json and weights) or of a whole model, or a file of one.",
        path=path_in_words(path),
    )  # fmt: skip
