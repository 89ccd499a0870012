"""A source model of random weights: a family's real architecture, or a tiny one of the same build. No download."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor

from core.export.exporters import export_model
from core.families import FAMILIES, keys
from core.families.family import Configs, Family
from core.families.load import empty_network
from core.seeds import generator

WIDTH, SIDE = 10, 4
"""A tiny U-Net has a tenth of the channels and is made for pictures of a quarter of the side."""
TEXT_WIDTH, TEXT_LAYERS = 16, 3
GROUPS = 8


def make_source(
    family_id: str, folder: Path, *, real: bool, device: torch.device, single_file: bool = False
) -> Path:  # fmt: skip
    """Write a model of this family with random weights into `folder`, as diffusers would or as one file, in 16 bits;
    its path.

    The numbers are drawn on `device`. Raises `UserError` where the disk has no room.
    """
    family = FAMILIES[family_id]
    configs = family.shipped_configs() if real else shrunken(family)
    parts = {
        component: {
            keys.from_folder(component, name): _random(f"{component}/{name}", tensor, device)
            for name, tensor in empty_network(component, family, configs[component]).state_dict().items()
        }
        for component in family.components
    }
    path = folder / f"{family.id}-{'real' if real else 'tiny'}{'.safetensors' if single_file else ''}"
    export_model(parts, configs, {}, path, "safetensors" if single_file else "diffusers", True, {}, family=family)
    return path


def draw_pictures(folder: Path, count: int, side: int) -> Path:
    """So many square PNGs of coloured noise, `side` px."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = numpy.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=numpy.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=0)
    return folder


def shrunken(family: Family) -> Configs:
    """The configs of the family's published model with the same blocks, narrower and fewer of them."""
    shipped = family.shipped_configs()
    small: dict[str, Mapping[str, Any]] = dict(shipped)
    for component in family.text_encoders:
        small[component] = _small_text(shipped[component])
    text = [small[component] for component in family.text_encoders]
    small["unet"] = _small_unet(shipped["unet"], text)
    small["vae"] = {
        **shipped["vae"],
        "block_out_channels": [width // 16 for width in shipped["vae"]["block_out_channels"]],
        "layers_per_block": 1,
        "norm_num_groups": GROUPS,
        "sample_size": shipped["vae"]["sample_size"] // SIDE,
    }
    return small


def _small_text(config: Mapping[str, Any]) -> dict[str, Any]:
    width = config["hidden_size"] // TEXT_WIDTH
    return {**config, "hidden_size": width, "intermediate_size": 4 * width, "projection_dim": width,
            "num_hidden_layers": TEXT_LAYERS, "num_attention_heads": 4}  # fmt: skip


def _small_unet(config: Mapping[str, Any], text: list[Mapping[str, Any]]) -> dict[str, Any]:
    small = {
        **config,
        "sample_size": config["sample_size"] // SIDE,
        "block_out_channels": [width // WIDTH for width in config["block_out_channels"]],
        "layers_per_block": 1,
        "norm_num_groups": GROUPS,
        "cross_attention_dim": sum(encoder["hidden_size"] for encoder in text),
    }
    if isinstance(config["attention_head_dim"], list):  # the number of heads, in spite of its name
        small["attention_head_dim"] = [max(1, heads // 5) for heads in config["attention_head_dim"]]
    if isinstance(config["transformer_layers_per_block"], list):
        small["transformer_layers_per_block"] = [min(2, layers) for layers in config["transformer_layers_per_block"]]
    if config["addition_embed_type"] == "text_time":
        small["addition_time_embed_dim"] = 32
        small["projection_class_embeddings_input_dim"] = text[-1]["projection_dim"] + 6 * 32
    return small


def _random(name: str, like: Tensor, device: torch.device) -> Tensor:
    """Numbers of about the size that trained ones have, so that nothing overflows: 1 for a norm, 0 for a bias."""
    if like.ndim < 2:
        return torch.full(like.shape, float(name.endswith("weight")), dtype=torch.float16)
    spread = 1 / math.sqrt(like[0].numel())
    numbers = torch.randn(like.shape, generator=generator(0, name, device=device), device=device)
    return numbers.mul_(spread).half().cpu()
