"""One map of names, both ways: diffusers' names and those of the original single files.

A single file (the layout of CompVis' latent-diffusion, which A1111, ComfyUI and diffusers read) numbers the blocks of
the UNet through: `input_blocks.4.1.` is diffusers' `down_blocks.1.attentions.0.`. The tables are generated from the
configs, so that every size is covered, and each is a bijection. Everywhere in this program a parameter of a file has
its *file name*: diffusers' name, with the classic `text_model.` in the text encoder's (transformers 5.6 flattened
`CLIPTextModel`; programs outside expect the classic one). OpenCLIP's layout stands in `openclip`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from core.families import openclip
from core.families.family import Family
from core.families.openclip import Place

T = TypeVar("T")

_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_UNET_ADDED = {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
_VAE_RESNET = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "conv_shortcut": "nin_shortcut"}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_VAE_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_VAE_PROJECTION = re.compile(r"\.mid_block\.attentions\.0\.(to_q|to_k|to_v|to_out\.0)\.weight$")


def to_single_file(family: Family, component: str, name: str, configs: Mapping[str, Mapping[str, Any]]) -> Place:
    """Where the parameter of a file name stands in a single file; `KeyError` where the configs know no such one."""
    prefix, encoder = family.prefix(component), family.encoder(component)
    if encoder and encoder.openclip:
        place = openclip.place(name)
        return replace(place, name=prefix + place.name)
    return Place(prefix + (name if encoder else _renamed(name, _table(component, configs))))


def from_single_file(
    family: Family, component: str, name: str, configs: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Place]]:
    """(file name, place) of each parameter that a single file's tensor holds; `KeyError` for a foreign tensor."""
    inner, encoder = name.removeprefix(family.prefix(component)), family.encoder(component)
    if encoder and encoder.openclip:
        return [(found, replace(place, name=name)) for found, place in openclip.held_in(inner)]
    if encoder:
        return [(from_folder(component, inner), Place(name))]
    return [(_renamed(inner, _inverse(component, configs)), Place(name))]


def from_folder(component: str, name: str) -> str:
    """The file name of a name in a diffusers folder, whichever version of the libraries wrote it."""
    if is_text_encoder(component):
        return name if name.startswith(("text_model.", "text_projection.")) else f"text_model.{name}"
    if component == "vae":
        for old, new in _VAE_OLD_ATTENTION.items():
            name = re.sub(rf"(\.attentions\.0)\.{old}\.", rf"\1.{new}.", name)
    return name


def classic_names(component: str, tensors: Mapping[str, T]) -> dict[str, T]:
    """A network's own tensors (`state_dict`) under their file names."""
    return {from_folder(component, name): tensor for name, tensor in tensors.items()}


def module_names(component: str, name: str, own: Container[str]) -> str:
    """The name that a network gives to a file name; `own` are the names that it has (`state_dict`).

    transformers before 5.6 has the classic names, later ones lack `text_model.`. `KeyError` for a foreign name.
    """
    if name in own:
        return name
    short = name.removeprefix("text_model.") if is_text_encoder(component) else name
    if short not in own:
        raise KeyError(name)
    return short


def is_text_encoder(component: str) -> bool:
    """Whether a component is one of CLIP's, by the name that every pipeline of diffusers gives it."""
    return component.startswith("text_encoder")


def is_left_out(family: Family, component: str, name: str, configs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a parameter of a source (by its file name or single-file name) is no weight and is passed over:
    position numbers, what CLIP has beside its text encoder, and OpenCLIP's last layer where the one before it is the
    last of the family's.
    """
    encoder = family.encoder(component)
    if encoder is None:
        return False
    if "text_projection" in name:
        return not encoder.projects
    if encoder.openclip and not encoder.penultimate:
        layer = openclip.layer_of(name.removeprefix(encoder.prefix))
        if layer is not None and layer == configs[component]["num_hidden_layers"]:
            return True
    return name.endswith(("position_ids", "attn_mask")) or any(
        part in name for part in ("logit_scale", "visual_projection", "vision_model")
    )


def is_convolution_in_single_file(component: str, name: str) -> bool:
    """Whether a matrix (o, i) is stored as a 1×1 convolution (o, i, 1, 1) in single files: the VAE's attention."""
    return component == "vae" and _VAE_PROJECTION.search(name) is not None


def blocks(component: str, configs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The parts that a whole component has, by the beginnings of their file names (`down_blocks.0.resnets.1.conv1`).
    Left out are shortcuts, which stand only where a block changes its width.
    """
    if is_text_encoder(component):
        layers = range(configs[component]["num_hidden_layers"])
        embeddings = [f"text_model.embeddings.{part}_embedding" for part in ("token", "position")]
        return [*embeddings, *(f"text_model.encoder.layers.{layer}" for layer in layers), "text_model.final_layer_norm"]
    return [name for name in _table(component, configs) if not name.endswith("conv_shortcut")]


def _renamed(name: str, table: Mapping[str, str]) -> str:
    """`name` with its longest beginning that stands in `table` replaced, at dots only."""
    end = len(name)
    while (end := name.rfind(".", 0, end)) > 0:
        new = table.get(name[:end])
        if new is not None:
            return new + name[end:]
    raise KeyError(name)


def _table(component: str, configs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    config = configs[component]
    down, up = tuple(config["down_block_types"]), tuple(config["up_block_types"])
    layers = config.get("layers_per_block", 2)
    if component == "vae":
        return _vae_table(len(down), int(layers))
    each = (layers,) * len(down) if isinstance(layers, int) else tuple(layers)
    down_attention, up_attention = (tuple("CrossAttn" in kind for kind in kinds) for kinds in (down, up))
    return _unet_table(down_attention, up_attention, each, config.get("addition_embed_type") is not None)


def _inverse(component: str, configs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    return {new: old for old, new in _table(component, configs).items()}


@lru_cache(maxsize=8)
def _unet_table(down: Sequence[bool], up: Sequence[bool], layers: Sequence[int], added: bool) -> Mapping[str, str]:
    """`down` and `up` say which blocks have attention; `layers` are the resnets of each down block; `added`: the UNet
    takes more than the captions.
    """
    table = _UNET_ENDS | (_UNET_ADDED if added else {})

    def resnet(new: str, old: str) -> None:
        table.update({f"{new}.{part}": f"{old}.{inner}" for part, inner in _UNET_RESNET.items()})

    number = 1
    for block, (attention, count) in enumerate(zip(down, layers, strict=True)):
        for layer in range(count):
            resnet(f"down_blocks.{block}.resnets.{layer}", f"input_blocks.{number}.0")
            if attention:
                table[f"down_blocks.{block}.attentions.{layer}"] = f"input_blocks.{number}.1"
            number += 1
        if block < len(down) - 1:
            table[f"down_blocks.{block}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
            number += 1

    resnet("mid_block.resnets.0", "middle_block.0")
    table["mid_block.attentions.0"] = "middle_block.1"
    resnet("mid_block.resnets.1", "middle_block.2")

    number = 0
    for block, (attention, count) in enumerate(zip(up, reversed(layers), strict=True)):
        for layer in range(count + 1):
            resnet(f"up_blocks.{block}.resnets.{layer}", f"output_blocks.{number}.0")
            if attention:
                table[f"up_blocks.{block}.attentions.{layer}"] = f"output_blocks.{number}.1"
            if layer == count and block < len(up) - 1:
                place = 2 if attention else 1
                table[f"up_blocks.{block}.upsamplers.0.conv"] = f"output_blocks.{number}.{place}.conv"
            number += 1
    return table


@lru_cache(maxsize=8)
def _vae_table(blocks: int, layers: int) -> Mapping[str, str]:
    table = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}

    def resnet(new: str, old: str) -> None:
        table.update({f"{new}.{part}": f"{old}.{inner}" for part, inner in _VAE_RESNET.items()})

    for half in ("encoder", "decoder"):
        table |= {
            f"{half}.conv_in": f"{half}.conv_in",
            f"{half}.conv_norm_out": f"{half}.norm_out",
            f"{half}.conv_out": f"{half}.conv_out",
        }
        resnet(f"{half}.mid_block.resnets.0", f"{half}.mid.block_1")
        resnet(f"{half}.mid_block.resnets.1", f"{half}.mid.block_2")
        attention = f"{half}.mid_block.attentions.0"
        table.update({f"{attention}.{new}": f"{half}.mid.attn_1.{old}" for new, old in _VAE_ATTENTION.items()})
    for block in range(blocks):
        for layer in range(layers):
            resnet(f"encoder.down_blocks.{block}.resnets.{layer}", f"encoder.down.{block}.block.{layer}")
        upwards = blocks - 1 - block
        for layer in range(layers + 1):
            resnet(f"decoder.up_blocks.{block}.resnets.{layer}", f"decoder.up.{upwards}.block.{layer}")
        if block < blocks - 1:
            table[f"encoder.down_blocks.{block}.downsamplers.0.conv"] = f"encoder.down.{block}.downsample.conv"
            table[f"decoder.up_blocks.{block}.upsamplers.0.conv"] = f"decoder.up.{upwards}.upsample.conv"
    return table
