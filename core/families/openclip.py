"""OpenCLIP's names for a text encoder, as the single files of SD2 and SDXL have them, and transformers'.

Beside the names two things differ: query, key and value are one matrix (`in_proj`), one third of its rows each, and
the text projection is stored the other way round (x @ P, where `nn.Linear` computes x @ Wᵀ).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENDS = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}
_PARTS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_THIRDS = ("q_proj", "k_proj", "v_proj")
_ENDS_BACK = {new: old for old, new in _ENDS.items()}
_PARTS_BACK = {new: old for old, new in _PARTS.items()}
_LAYER = re.compile(r"text_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)")
_FUSED = re.compile(r"self_attn\.([qkv]_proj)")


@dataclass(frozen=True)
class Place:
    """Where a parameter stands in a single file: `name`, and which `third` (0, 1, 2) of its rows where that holds
    three parameters, or `transposed`.
    """

    name: str
    third: int | None = None
    transposed: bool = False


def place(name: str) -> Place:
    """Where the parameter of this file name stands, without a prefix; `KeyError` for one that OpenCLIP has not."""
    if name == "text_projection.weight":
        return Place("text_projection", transposed=True)
    if name in _ENDS:
        return Place(_ENDS[name])
    found = _LAYER.fullmatch(name)
    if found is None:
        raise KeyError(name)
    layer, part, kind = found.groups()
    block = f"transformer.resblocks.{layer}"
    if fused := _FUSED.fullmatch(part):
        return Place(f"{block}.attn.in_proj_{kind}", _THIRDS.index(fused[1]))
    return Place(f"{block}.{_PARTS[part]}.{kind}")


def held_in(name: str) -> list[tuple[str, Place]]:
    """(file name, place) of each parameter that the tensor `name` of a single file holds, without a prefix.

    `KeyError` for a name that is none of a text encoder's.
    """
    if name == "text_projection":
        return [("text_projection.weight", Place(name, transposed=True))]
    if name in _ENDS_BACK:
        return [(_ENDS_BACK[name], Place(name))]
    found = _BLOCK.fullmatch(name)
    if found is None:
        raise KeyError(name)
    number, part, kind = found.groups()
    layer = f"text_model.encoder.layers.{number}"
    if part == "attn.in_proj":
        return [(f"{layer}.self_attn.{third}.{kind}", Place(name, row)) for row, third in enumerate(_THIRDS)]
    return [(f"{layer}.{_PARTS_BACK[part]}.{kind}", Place(name))]


def layer_of(name: str) -> int | None:
    """The number of the layer that a single file's tensor belongs to, without a prefix."""
    found = re.match(r"transformer\.resblocks\.(\d+)\.", name)
    return int(found[1]) if found else None
