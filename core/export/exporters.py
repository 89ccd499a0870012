"""How a model is written: one entry a format. Everything is staged beside, synced and renamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import Tensor

from core.export.metadata import HASH_KEY, content_hash
from core.families import keys
from core.families.family import PREDICTION_TYPES, Configs, Family
from core.families.folder import INDEX, WEIGHT_NAMES
from core.families.single_file import CONFIGS_KEY, V_MARK, ZERO_SNR_MARK, sidecar
from core.files import explain, free_bytes, staged_directory, staged_file, write_atomic
from core.tensors import write_tensors
from core.texts import UserError, path_in_words, size_in_words

Parts = Mapping[str, Mapping[str, Tensor]]
"""Component → file name (see `core.families.keys`) → tensor."""


@dataclass(frozen=True)
class Package:
    """What an exporter writes: parts in their final precision, configs, folder → tokenizer files by name, metadata."""

    family: Family
    parts: Parts
    configs: Configs
    tokenizers: Mapping[str, Mapping[str, bytes]]
    metadata: Mapping[str, str]

    @property
    def brings_configs(self) -> bool:
        """Whether a single file must hold the configs: the family's published ones do not describe it, or names and
        shapes fit another family too.
        """
        return unusual_configs(self.family, self.configs) or self.family.predictions != PREDICTION_TYPES

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensors in self.parts.values() for tensor in tensors.values())


def export_model(
    parts: Parts,
    configs: Configs,
    tokenizers: Mapping[str, Mapping[str, bytes]],
    path: Path,
    format: str,  # noqa: A002 - the option's own name
    half: bool,
    metadata: Mapping[str, str],
    *,
    family: Family,
) -> int:
    """Write a model at `path` in a format of `EXPORTERS` and return its bytes; whole or not at all.

    `half` writes fp16, else fp32. Raises `UserError` where a tensor is not finite in that precision, or the disk is
    full or fails.
    """
    dtype = torch.float16 if half else torch.float32
    converted = {
        component: {name: in_precision(component, name, tensor, dtype) for name, tensor in tensors.items()}
        for component, tensors in parts.items()
    }
    package = Package(family, converted, configs, tokenizers, {"format": "pt", **metadata})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_room(path, package.bytes)
        EXPORTERS[format](path, package)
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files)
    except OSError as error:
        raise explain(error, path) from error


def unusual_configs(family: Family, configs: Configs) -> bool:
    """Whether a single file must bring these configs, because the family's published ones do not describe it."""
    shipped = family.shipped_configs()
    return bool(configs["scheduler"].get("rescale_betas_zero_snr")) or any(
        configs[component].get(key, value) != value
        for component, config in shipped.items()
        for key, value in config.items()
        if key not in _NOT_THE_NETWORK and (component, key) != ("vae", "sample_size")
    )


def _write_safetensors(path: Path, package: Package) -> None:
    tensors = _single_file(package)
    metadata = {**package.metadata, HASH_KEY: content_hash(tensors)}
    if package.brings_configs:
        metadata[CONFIGS_KEY] = json.dumps(package.configs)
    with staged_file(path) as staging:
        write_tensors(staging, tensors, metadata)


def _write_ckpt(path: Path, package: Package) -> None:
    # A pickled tensor takes its whole storage with it, so a part of a larger one is copied out first.
    tensors = {name: _alone(tensor.detach().cpu()) for name, tensor in _single_file(package).items()}
    with staged_file(path) as staging:
        torch.save({"state_dict": tensors}, staging)
    beside = sidecar(path)
    if package.brings_configs:
        write_atomic(beside, _json(package.configs))
    else:
        beside.unlink(missing_ok=True)


def _write_diffusers(path: Path, package: Package) -> None:
    dtype = str(next(iter(package.parts["unet"].values())).dtype).removeprefix("torch.")
    with staged_directory(path, {}) as staging:
        for component, tensors in package.parts.items():
            (staging / component).mkdir()
            write_tensors(staging / component / f"{WEIGHT_NAMES[component][0]}.safetensors", tensors, package.metadata)
            config = dict(package.configs[component])
            if component in package.family.text_encoders:
                config = {key: value for key, value in config.items() if key != "torch_dtype"} | {"dtype": dtype}
            (staging / component / "config.json").write_text(_json(config))
        (staging / "scheduler").mkdir()
        (staging / "scheduler" / "scheduler_config.json").write_text(_json(package.configs["scheduler"]))
        for folder, files in package.tokenizers.items():
            (staging / folder).mkdir()
            for name, content in files.items():
                (staging / folder / name).write_bytes(content)
        (staging / INDEX).write_text(_json(_index(package)))


EXPORTERS: dict[str, Callable[[Path, Package], None]] = {
    "safetensors": _write_safetensors,
    "ckpt": _write_ckpt,
    "diffusers": _write_diffusers,
}
"""Format id (`core.choices.formats`) → writer."""

_NOT_THE_NETWORK = frozenset(
    {
        "_class_name", "architectures", "model_type", "initializer_range", "initializer_factor", "force_upcast",
        "bos_token_id", "eos_token_id", "pad_token_id", "skip_prk_steps", "set_alpha_to_one", "clip_sample",
        "steps_offset", "timestep_spacing", "addition_embed_type_num_heads", "projection_dim", "upcast_attention",
        "interpolation_type", "use_karras_sigmas", "sample_max_value", "requires_safety_checker",
    }
)  # fmt: skip
"""Keys that change neither the networks nor what they were trained to predict."""


def _single_file(package: Package) -> dict[str, Tensor]:
    """All tensors under their single-file names: the VAE's attention as 1×1 convolutions, OpenCLIP's query, key and
    value as one matrix, and the marks of v-prediction and zero terminal SNR.
    """
    tensors: dict[str, Tensor] = {}
    thirds: dict[str, dict[int, Tensor]] = {}
    for component, part in package.parts.items():
        for name, tensor in part.items():
            place = keys.to_single_file(package.family, component, name, package.configs)
            if keys.is_convolution_in_single_file(component, name):
                tensor = tensor[:, :, None, None]
            if place.third is not None:
                thirds.setdefault(place.name, {})[place.third] = tensor
            else:
                tensors[place.name] = tensor.T.contiguous() if place.transposed else tensor
    tensors |= {name: torch.cat([rows[third] for third in range(3)]) for name, rows in thirds.items()}
    scheduler, mark = package.configs["scheduler"], next(iter(tensors.values())).new_empty(0)
    if scheduler.get("prediction_type") == "v_prediction":
        tensors[V_MARK] = mark
    if scheduler.get("rescale_betas_zero_snr"):
        tensors[ZERO_SNR_MARK] = mark.clone()
    return tensors


def in_precision(component: str, name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor in the precision of a file; `UserError` where it is not finite in it."""
    converted = tensor.detach() if tensor.dtype == dtype else tensor.detach().to(dtype).cpu()
    if not bool(torch.isfinite(converted).all()):
        if bool(torch.isfinite(tensor).all()):
            raise UserError(
                "export.too-large-for-half",
                "{name} in the {component} holds values that half precision cannot (its largest is {largest:.3g}, the "
                "limit is 65504).",
                mend="Export in full precision: turn Half precision (saving.half) off, or --set saving.half=false.",
                name=name, component=component, largest=float(tensor.abs().max()),
            )  # fmt: skip
        raise UserError(
            "export.not-finite", "{name} in the {component} holds values that are not numbers: the training diverged.",
            mend="Export an earlier saved step with --step, and train on with a lower Learning rate "
            "(learning_rate.rate).",
            name=name, component=component,
        )  # fmt: skip
    return converted


def _alone(tensor: Tensor) -> Tensor:
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def check_room(path: Path, needed: int) -> None:
    """Refuse (`UserError`) to begin a file of so many bytes where the disk has no room for it."""
    free = free_bytes(path)
    if free < needed * 1.01:
        raise UserError(
            "export.no-room", "There is no room for the model at {path}: it needs {needed}, {free} are free.",
            mend="Free some space, or export to another disk with -o.",
            path=path_in_words(path), needed=size_in_words(needed), free=size_in_words(free),
        )  # fmt: skip


def _index(package: Package) -> dict[str, Any]:
    family = package.family
    return {
        "_class_name": family.pipeline,
        "_diffusers_version": diffusers.__version__,
        **{name: [None, None] for name in family.empty_parts},
        **package.configs["pipeline"],
        "scheduler": ["diffusers", package.configs["scheduler"].get("_class_name", "PNDMScheduler")],
        **{encoder.component: ["transformers", encoder.network] for encoder in family.encoders},
        **{encoder.tokenizer: ["transformers", "CLIPTokenizer"] for encoder in family.encoders},
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _json(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"
