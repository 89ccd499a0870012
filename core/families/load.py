"""From a description to a `Model`: networks are built without memory, then filled tensor by tensor from the source."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from core.families import FAMILIES, keys
from core.families.describe import SourceDescription
from core.families.family import Family
from core.families.model import Model, NoiseSchedule
from core.families.single_file import refuse_unexpected
from core.families.stored import TokenizerFiles
from core.families.vocabulary import END, START, merges, vocabulary
from core.families.weights import iterate_component, refuse_not_finite
from core.families.wholeness import refuse_missing, refuse_other_size
from core.texts import UserError, path_in_words


def load_model(
    description: SourceDescription, *, device: torch.device | str, dtype: torch.dtype = torch.float32,
    clip_skip: int = 1,
) -> Model:  # fmt: skip
    """All networks of a source on `device` in `dtype`, whatever precision the files have; eval mode, no gradients.

    The VAE stands in fp32 in any case: it runs rarely, and in half precision some overflow (SDXL's does).
    Beside the networks themselves no more than one tensor is held. Raises `UserError` for missing, unexpected,
    misshapen and non-finite weights.
    """
    device = torch.device(device)
    family = FAMILIES[description.family]
    networks = {
        component: _network(component, description, device, torch.float32 if component == "vae" else dtype)
        for component in family.components
    }
    tokenizers = {encoder.component: load_tokenizer(description, encoder.tokenizer) for encoder in family.encoders}
    return put_together(description, networks, tokenizers, device, clip_skip)


def empty_model(description: SourceDescription) -> Model:
    """The same in training mode without memory for a single weight, with the tokenizer that comes with the program."""
    family = FAMILIES[description.family]
    networks = {
        component: empty_network(component, family, description.configs[component]).train()
        for component in family.components
    }
    tokenizers = dict.fromkeys(family.text_encoders, shipped_tokenizer())
    return put_together(description, networks, tokenizers, torch.device("meta"))


def put_together(
    description: SourceDescription, networks: Mapping[str, Any], tokenizers: Mapping[str, CLIPTokenizer],
    device: torch.device, clip_skip: int = 1,
) -> Model:  # fmt: skip
    """The model of these networks, each under its component's name, which stand on `device`."""
    family = FAMILIES[description.family]
    return Model(
        family=family,
        description=description,
        configs=description.configs,
        unet=networks["unet"],
        vae=networks["vae"],
        text_encoders={name: networks[name] for name in family.text_encoders},
        tokenizers=tokenizers,
        schedule=noise_schedule(description.configs["scheduler"], device),
        clip_skip=clip_skip,
    )


def load_tokenizer(description: SourceDescription, folder: str = "tokenizer") -> CLIPTokenizer:
    """The source's own of that folder, else one with the shipped vocabulary that pads as the family does."""
    own = description.tokenizers.get(folder)
    if own is not None:
        try:
            return _read_tokenizer(own)
        except Exception as error:
            # The library raises whatever its parsers raise; the files are a person's.
            raise UserError(
                "source.tokenizer", "The tokenizer in {path} cannot be read: {reason}.",
                mend="Copy or download the model again; without a tokenizer folder the usual one is used.",
                path=path_in_words(own.folder), reason=_first_line(error),
            ) from error  # fmt: skip
    return shipped_tokenizer(FAMILIES[description.family].shipped_tokenizer(folder)["pad_token"])


@functools.lru_cache(maxsize=8)
def _read_tokenizer(files: TokenizerFiles) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(files.folder, local_files_only=True)


@functools.lru_cache(maxsize=4)
def shipped_tokenizer(pad_token: str = END) -> CLIPTokenizer:
    """transformers' tokenizer with the vocabulary that ships with the package."""
    return CLIPTokenizer(vocab=vocabulary(), merges=list(merges()), bos_token=START, eos_token=END, unk_token=END,
                         pad_token=pad_token, model_max_length=77)  # fmt: skip


def noise_schedule(config: Mapping[str, Any], device: torch.device) -> NoiseSchedule:
    """What diffusers' DDPMScheduler makes of a scheduler's config, zero terminal SNR included, in fp32 on `device`."""
    wanted = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
              "rescale_betas_zero_snr")  # fmt: skip
    scheduler = DDPMScheduler(**{name: config[name] for name in wanted if name in config})
    return NoiseSchedule(scheduler.alphas_cumprod.float().to(device), config.get("prediction_type", "epsilon"))


def _network(component: str, description: SourceDescription, device: torch.device, dtype: torch.dtype) -> nn.Module:
    family = FAMILIES[description.family]
    network = _without_memory(component, description)
    wanted = {
        keys.from_folder(component, name): tensor
        for name, tensor in network.state_dict().items()
        if not keys.is_left_out(family, component, name, description.configs)
    }
    stored = description.tensors[component]
    refuse_missing(component, sorted(wanted.keys() - stored.keys()), description.path)
    refuse_unexpected(component, sorted(stored.keys() - wanted.keys()), description.path)
    own = set(network.state_dict())
    # All of the network's memory is taken at once: between what is read and dropped again it would lie in pieces, with
    # gigabytes in the gaps that the C library keeps.
    filled = {keys.module_names(component, name, own): torch.empty(tensor.shape, dtype=dtype, device=device)
              for name, tensor in wanted.items()}  # fmt: skip
    for name, tensor in iterate_component(component, stored):
        if tensor.shape != wanted[name].shape:
            refuse_other_size(component, name, tuple(tensor.shape), tuple(wanted[name].shape), description.path)
        refuse_not_finite(component, name, tensor, stored[name].path)
        filled[keys.module_names(component, name, own)].copy_(tensor)
    network.load_state_dict(filled, strict=False, assign=True)
    _fill_position_ids(network, device)
    left = [name for name, tensor in (*network.named_parameters(), *network.named_buffers()) if tensor.is_meta]
    refuse_missing(component, left, description.path)
    return network.eval().requires_grad_(False)


def empty_network(component: str, family: Family, config: Mapping[str, Any]) -> nn.Module:
    """The network that a component's config describes, on the meta device: shapes without numbers."""
    own = {key: value for key, value in config.items() if not key.startswith("_")}
    with torch.device("meta"):
        if component == "unet":
            return UNet2DConditionModel.from_config(own)  # type: ignore[no-any-return]
        if component == "vae":
            return AutoencoderKL.from_config(own)  # type: ignore[no-any-return]
        own = {key: value for key, value in own.items() if key not in ("dtype", "torch_dtype")}
        encoder = family.encoder(component)
        kind = CLIPTextModelWithProjection if encoder and encoder.projects else CLIPTextModel
        return kind(CLIPTextConfig(**own))  # type: ignore[no-any-return]


def _without_memory(component: str, description: SourceDescription) -> nn.Module:
    try:
        return empty_network(component, FAMILIES[description.family], description.configs[component])
    except Exception as error:
        # Whatever a constructor raises for a config that a person brought is the config's fault.
        raise UserError(
            "source.config-value", "The config of {path} describes no {component} that can be built: {reason}.",
            mend="Take another model, or the original of this one, and do not edit its configs.",
            path=path_in_words(description.path), component=component, reason=_first_line(error),
        ) from error  # fmt: skip


def _fill_position_ids(network: nn.Module, device: torch.device) -> None:
    """The one buffer of CLIP that no file needs to hold: 0, 1, … 76."""
    for module in network.modules():
        ids = module._buffers.get("position_ids")
        if ids is not None:
            module._buffers["position_ids"] = torch.arange(ids.shape[-1], device=device).expand((1, -1))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
