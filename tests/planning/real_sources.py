"""What `describe` says of the published models, from their shipped configs: every tensor's shape, and no weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from core.families import FAMILIES
from core.families.describe import SourceDescription
from core.families.keys import classic_names
from core.families.stored import StoredTensor

TEXT_ENCODERS = {"CLIPTextModel": CLIPTextModel, "CLIPTextModelWithProjection": CLIPTextModelWithProjection}
PLACE = Path("/models/real")


@cache
def real_source(family_id: str) -> SourceDescription:
    """The published model of a family, as a folder in 16 bits."""
    family = FAMILIES[family_id]
    configs = family.shipped_configs()
    with torch.device("meta"):
        networks: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel.from_config(dict(configs["unet"])),
            "vae": AutoencoderKL.from_config(dict(configs["vae"])),
        }
        for encoder in family.encoders:
            config = CLIPTextConfig(**configs[encoder.component])
            networks[encoder.component] = TEXT_ENCODERS[encoder.network](config)
    tensors = {
        component: {name: StoredTensor(PLACE, name, tuple(tensor.shape))
                    for name, tensor in classic_names(component, network.state_dict()).items()}
        for component, network in networks.items()
    }  # fmt: skip
    parameters = {name: sum(tensor.elements for tensor in held.values()) for name, held in tensors.items()}
    factor = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    return SourceDescription(
        source=str(PLACE),
        path=PLACE,
        kind="folder",
        family=family.id,
        prediction_type=configs["scheduler"].get("prediction_type", "epsilon"),
        native_resolution=configs["unet"]["sample_size"] * factor,
        latent_factor=factor,
        parameters=parameters,
        bytes=2 * sum(parameters.values()),
        configs=configs,
        tensors=tensors,
    )
