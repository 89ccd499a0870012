"""A diffusers folder taken apart. Class names are looked up in an allow-list; nothing the folder names is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.families import FAMILIES, keys, recognise
from core.families.family import Configs, Family
from core.families.single_file import refuse_foreign
from core.families.stored import Parts, StoredTensor, read_json, read_weight_file
from core.families.tokenizer_files import tokenizer_files
from core.families.wholeness import SCHEDULERS, check_configs
from core.texts import UserError, listed, path_in_words, say

INDEX = "model_index.json"

_TOKENIZERS = frozenset({"CLIPTokenizer", "CLIPTokenizerFast"})
_CLASSES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "unet": (frozenset({"diffusers"}), frozenset({"UNet2DConditionModel"})),
    "vae": (frozenset({"diffusers"}), frozenset({"AutoencoderKL"})),
    "text_encoder": (frozenset({"transformers"}), frozenset({"CLIPTextModel"})),
    "text_encoder_2": (frozenset({"transformers"}), frozenset({"CLIPTextModelWithProjection"})),
    "tokenizer": (frozenset({"transformers"}), _TOKENIZERS),
    "tokenizer_2": (frozenset({"transformers"}), _TOKENIZERS),
    "scheduler": (frozenset({"diffusers"}), SCHEDULERS),
    "safety_checker": (
        frozenset({"stable_diffusion", "diffusers.pipelines.stable_diffusion.safety_checker"}),
        frozenset({"StableDiffusionSafetyChecker"}),
    ),
    "feature_extractor": (
        frozenset({"transformers"}),
        frozenset({"CLIPImageProcessor", "CLIPImageProcessorPil", "CLIPImageProcessorFast", "CLIPFeatureExtractor"}),
    ),
    "image_encoder": (frozenset({"transformers"}), frozenset({"CLIPVisionModelWithProjection"})),
}
"""Component → libraries and classes that a model_index.json may name for it."""

WEIGHT_NAMES: Mapping[str, tuple[str, str]] = {
    "unet": ("diffusion_pytorch_model", "diffusion_pytorch_model"),
    "vae": ("diffusion_pytorch_model", "diffusion_pytorch_model"),
    "text_encoder": ("model", "pytorch_model"),
    "text_encoder_2": ("model", "pytorch_model"),
}
"""Component → stem of its .safetensors and of its .bin file."""


def read(path: Path, variant: str = "") -> tuple[Family, Parts]:
    """The family and the parts of a folder; `UserError` says what is missing or what the folder is instead."""
    index = _index(path)
    unet = read_json(_there(path / "unet" / "config.json", path))
    scheduler = read_json(_there(path / "scheduler" / "scheduler_config.json", path))
    family = _family(index["_class_name"], unet, scheduler, path)
    configs = {component: read_json(_there(path / component / "config.json", path)) for component in family.components}
    configs["scheduler"] = scheduler
    configs["pipeline"] = {name: index.get(name, value) for name, value in family.switches.items()}
    if configs["unet"].get("sample_size") is None:
        configs["unet"]["sample_size"] = family.shipped_configs()["unet"]["sample_size"]
    check_configs(configs, family, path)
    tensors = {}
    for component in family.components:
        if index.get(component, [None])[0] is None:
            raise _incomplete(path, component)
        tensors[component] = _component(component, weight_files(path, component, variant), family, configs)
    folders = {encoder.tokenizer: path / encoder.tokenizer for encoder in family.encoders}
    return family, Parts(
        "folder", configs, tensors, {name: files for name, at in folders.items() if (files := tokenizer_files(at))}
    )


def _family(pipeline: str, unet: Mapping[str, Any], scheduler: Mapping[str, Any], path: Path) -> Family:
    refuse_foreign(recognise.special_input(unet.get("in_channels", 4)), path)
    found = [family for family in FAMILIES.values() if family.pipeline == pipeline and family.is_unet(unet)]
    if not found:
        named = next(family.title for family in FAMILIES.values() if family.pipeline == pipeline)
        refuse_foreign(say("found.misnamed", "named as {family} in its {file}, but its UNet is of another kind",
                           family=named, file=INDEX), path)  # fmt: skip
    prediction = scheduler.get("prediction_type", "epsilon")
    return next((family for family in found if prediction in family.predictions), found[0])


def weight_files(path: Path, component: str, variant: str) -> list[Path]:
    """The files that hold a component's weights: safetensors first, whole or in shards, else a `.bin`."""
    folder = path / component
    safetensors, pickled = WEIGHT_NAMES[component]
    middle = f".{variant}" if variant else ""
    whole = folder / f"{safetensors}{middle}.safetensors"
    if whole.exists():
        return [whole]
    shards = folder / f"{safetensors}.safetensors.index{middle}.json"
    if shards.exists():
        return _shards(shards)
    binary = folder / f"{pickled}{middle}.bin"
    if binary.exists():
        return [binary]
    others = sorted(file.name for file in folder.glob("*") if file.suffix in (".safetensors", ".bin"))
    wanted = say("source.its-weights", "its weights")
    if variant:
        wanted = say("source.its-variant", "the variant {variant!r} of its weights", variant=variant)
    raise UserError(
        "source.no-weights",
        "{path} has not {wanted}: no {name} there{others}.",
        mend="Download the model again"
        + (", or choose another Hub variant (model.variant): what stands between the name and .safetensors."
           if others else "."),
        path=path_in_words(folder), wanted=wanted, name=whole.name,
        others=say("source.only-others", ", only {files}", files=listed(others)) if others else "",
    )  # fmt: skip


def _component(component: str, files: list[Path], family: Family, configs: Configs) -> dict[str, StoredTensor]:
    found: dict[str, StoredTensor] = {}
    for file in files:
        for name, tensor in read_weight_file(file).tensors.items():
            if keys.is_left_out(family, component, name, configs):
                continue
            if recognise.is_lora([name]):
                raise UserError(
                    "source.foreign", "{path} holds LoRA weights ({name}) beside the model's own.",
                    mend="Take the model without LoRA, or merge it first.", path=path_in_words(file), name=name,
                )  # fmt: skip
            found[keys.from_folder(component, name)] = tensor
    return found


def _shards(index: Path) -> list[Path]:
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise _strange(index, say("source.no-map", "it has no weight_map"))
    files = sorted(set(names.values()))
    for name in files:
        if Path(name).name != name:
            raise _strange(
                index, say("source.not-beside", "it names {name!r}, which is not a file beside it", name=name)
            )
    return [index.parent / name for name in files]


def _index(path: Path) -> dict[str, Any]:
    """model_index.json, every name in it checked, its pipeline one of those that are trained here."""
    file = path / INDEX
    if not file.exists():
        raise _no_index(path)
    index = read_json(file)
    pipeline = index.get("_class_name")
    if pipeline not in {family.pipeline for family in FAMILIES.values()}:
        known = recognise.PIPELINES.get(pipeline) if isinstance(pipeline, str) else None
        unknown = say("found.pipeline", "made for the pipeline {name!r}", name=str(pipeline)[:80])
        refuse_foreign(recognise.FOUND[known] if known else unknown, path)
    for component, value in index.items():
        if not isinstance(value, list) or value == [None, None]:
            continue
        libraries, classes = _CLASSES.get(component, (frozenset(), frozenset()))
        if len(value) != 2 or value[0] not in libraries or value[1] not in classes:
            raise UserError(
                "source.runs-code",
                "{path} names {value} as its {component}, which is not a part of a Stable Diffusion model. Nothing of "
                "it was imported.",
                mend="Take the model from a source that you trust, or choose a single .safetensors file.",
                path=path_in_words(file), value=listed(value), component=component,
            )  # fmt: skip
    return index


def _there(file: Path, path: Path) -> Path:
    if not file.exists():
        raise _incomplete(path, str(file.relative_to(path)))
    return file


def _incomplete(path: Path, part: str) -> UserError:
    return UserError(
        "source.incomplete", "The diffusers folder {path} has no {part}.",
        mend="Copy or download the whole model again.", path=path_in_words(path), part=part,
    )  # fmt: skip


def _strange(file: Path, reason: str) -> UserError:
    return UserError(
        "source.config-unreadable", "{path} is not a readable config: {reason}.",
        mend="Copy or download the model again.", path=path_in_words(file), reason=reason,
    )  # fmt: skip


def _no_index(path: Path) -> UserError:
    files = sorted(file.name for file in path.iterdir() if file.suffix in (".safetensors", ".ckpt"))
    if files:
        return UserError(
            "source.no-index", "The folder {path} is not a diffusers folder: it has no model_index.json.",
            mend="To train from a single file, name the file itself: {file}.", path=path_in_words(path),
            file=path_in_words(path / files[0]),
        )  # fmt: skip
    return UserError(
        "source.no-index", "The folder {path} is not a diffusers folder: it has no model_index.json.",
        mend="A diffusers folder has a model_index.json and the folders unet, vae, text_encoder and scheduler in it.",
        path=path_in_words(path),
    )  # fmt: skip
