"""What a source is, before anything of it is loaded: family, size, configs and where each tensor stands.

Reads configs, headers and the tables of contents of pickles; no torch, no network, nothing of the source is run.
Everything that is wrong with it is a `UserError` that says what it is instead and what to do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from core.demo.source import DEMO, demo_model, is_demo
from core.families import folder, hub, single_file
from core.families.family import Configs, Family
from core.families.other_vae import with_vae
from core.families.stored import Parts, StoredTensor, TokenizerFiles
from core.families.wholeness import check_whole
from core.nearby import nearest
from core.reasons import of_system
from core.texts import UserError, path_in_words, say


@dataclass(frozen=True)
class SourceDescription:
    """A source model. `native_resolution` is in px: the UNet's `sample_size` × `latent_factor`, the VAE's factor."""

    source: str
    path: Path
    kind: Literal["folder", "safetensors", "ckpt"]
    family: str
    prediction_type: str
    native_resolution: int
    latent_factor: int
    parameters: Mapping[str, int]
    bytes: int
    """Of all its weight files."""
    configs: Configs
    tensors: Mapping[str, Mapping[str, StoredTensor]] = field(repr=False)
    """Component → file name (see `keys`) → where the tensor stands."""
    tokenizers: Mapping[str, TokenizerFiles] = field(default_factory=dict)
    """Folder → the source's own tokenizers; for others there is the vocabulary that ships with the package."""
    commit: str = ""
    """Of a hub id: the commit that was downloaded."""


def describe(
    source: str, revision: str = "", variant: str = "", cache_dir: Path | None = None, *, family: str = "auto",
    vae: str = "",
) -> SourceDescription:  # fmt: skip
    """Describe a diffusers folder, a single file, a hub id that was downloaded, or `demo`, the embedded model.

    `family` is the id of the one that a person named: it decides where a single file fits two and does not say which,
    and nothing else; `vae` is another one that takes its own's place (see `other_vae`). Raises `UserError`:
    `source.none`, `source.missing`, `source.not-downloaded` (see `hub.download`) and one for each thing that may be
    wrong with what is there.
    """
    if not source.strip():
        raise UserError(
            "source.none", "No source model is given.",
            mend="Set Source model (model.source) to a diffusers folder, a .safetensors or .ckpt file, a hub id "
            "(owner/name) or demo.",
        )  # fmt: skip
    try:
        path = demo_model() if is_demo(source) else Path(source).expanduser()
        there = path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the home of a user who does not exist
        raise _missing(source, _no_path(error)) from error
    commit = ""
    if not there:
        if not hub.is_hub_id(source):
            near = nearest(path, _is_source) or _embedded(source)
            raise _missing(source, say("source.not-there", "there is no such file or folder"), near)
        near = nearest(path, _is_source) if path.parent.is_dir() else None
        path = hub.find(source, revision, variant, cache_dir, near)
        commit = path.name
    found, parts = folder.read(path, variant) if path.is_dir() else single_file.read(path, family)
    check_whole(parts, found, path)
    described = _described(source, path, found, parts, commit)
    return with_vae(described, vae) if vae.strip() else described


def _described(source: str, path: Path, family: Family, parts: Parts, commit: str) -> SourceDescription:
    configs = parts.configs
    factor = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    files = {tensor.path for tensors in parts.tensors.values() for tensor in tensors.values()}
    return SourceDescription(
        source=source,
        path=path,
        kind=parts.kind,
        family=family.id,
        prediction_type=configs["scheduler"].get("prediction_type", "epsilon"),
        native_resolution=configs["unet"]["sample_size"] * factor,
        latent_factor=factor,
        parameters={
            component: sum(tensor.elements for tensor in tensors.values())
            for component, tensors in parts.tensors.items()
        },
        bytes=sum(file.stat().st_size for file in files),
        configs=configs,
        tensors=parts.tensors,
        tokenizers=parts.tokenizers,
        commit=commit,
    )


def _no_path(error: Exception) -> str:
    if isinstance(error, OSError):
        return of_system(error)
    if isinstance(error, RuntimeError):
        return say("source.no-home", "there is no user whose home that would be")
    return say("source.no-path", "that is no path")


def _embedded(source: str) -> Path | None:
    """The embedded model's name, where that alone was mistyped."""
    typed = unicodedata.normalize("NFKC", source).lower()  # an input method for Chinese may write it full-width
    return Path(DEMO) if "/" not in source and get_close_matches(typed, [DEMO]) else None


def _is_source(path: Path) -> bool:
    """Whether it can be one, by its name; a folder that is named as the embedded model would be taken for that."""
    return not is_demo(str(path)) and (path.suffix.lower() in (".safetensors", ".ckpt") or path.is_dir())


def _missing(source: str, reason: str, near: Path | None = None) -> UserError:
    if near is not None:
        return UserError(
            "source.missing", "The source model {source} cannot be found: {reason}. Did you mean {near}?",
            source=path_in_words(source), reason=reason, near=near,
        )  # fmt: skip
    return UserError(
        "source.missing", "The source model {source} cannot be found: {reason}.",
        mend="Check the path. A source is a diffusers folder, a .safetensors or .ckpt file, a hub id (owner/name) or "
        "demo.",
        source=path_in_words(source), reason=reason,
    )  # fmt: skip
