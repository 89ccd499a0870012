"""Models of the published architectures with the libraries' own initial weights, in half precision: no download."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from core.export.exporters import export_model
from core.families import FAMILIES, keys


def random_source(family: str, path: Path, format: str) -> None:  # noqa: A002 - the option's own name
    """A source of this family's real size at `path`, a single file (`safetensors`) or a folder (`diffusers`)."""
    entry = FAMILIES[family]
    configs = entry.shipped_configs()
    torch.manual_seed(0)
    with _in_half():
        networks: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel.from_config(configs["unet"]),
            "vae": AutoencoderKL.from_config(configs["vae"]),
        }
        for encoder in entry.encoders:
            made = CLIPTextModelWithProjection if encoder.projects else CLIPTextModel
            networks[encoder.component] = made(CLIPTextConfig(**configs[encoder.component]))
    parts = {
        name: {key: tensor for key, tensor in keys.classic_names(name, network.half().state_dict()).items()
               if not keys.is_left_out(entry, name, key, configs)}
        for name, network in networks.items()
    }  # fmt: skip
    export_model(parts, configs, {}, path, format, True, {}, family=entry)


@contextmanager
def _in_half() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


if __name__ == "__main__":
    random_source(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
