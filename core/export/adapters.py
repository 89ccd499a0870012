"""Writers of the formats that hold adapters alone, and the model with adapters merged into its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from core.adapters.files import Stored, diffusers_tensors, kohya_tensors
from core.adapters.kind import Kind, Strength
from core.adapters.parts import by_module, changed, kohya_parts
from core.export.exporters import check_room, in_precision
from core.export.metadata import HASH_KEY, content_hash
from core.families.family import Family
from core.files import explain, staged_file
from core.tensors import write_tensors

ADAPTER_EXPORTERS: Mapping[str, Callable[[Stored, Kind], Iterator[tuple[str, Tensor]]]] = {
    "lora": kohya_tensors,
    "lora-diffusers": diffusers_tensors,
}
"""Format id (`core.choices.formats`) → the tensors of its file."""


def export_adapter(
    trained: Stored,
    kind: Kind,
    path: Path,
    format: str,  # noqa: A002 - the option's own name
    half: bool,
    metadata: Mapping[str, str],
) -> int:
    """Write what was trained at `path` in a format of `ADAPTER_EXPORTERS` and return its bytes; whole or not at all.

    `half` writes fp16, else fp32; alphas stand in fp32. Raises `UserError` as `export_model` does.
    """
    dtype = torch.float16 if half else torch.float32
    tensors = {
        name: tensor.cpu() if name.endswith(".alpha") else in_precision("adapter", name, tensor, dtype).contiguous()
        for name, tensor in ADAPTER_EXPORTERS[format](trained, kind)
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_room(path, sum(tensor.nbytes for tensor in tensors.values()))
        with staged_file(path) as staging:
            write_tensors(staging, tensors, {"format": "pt", **metadata, HASH_KEY: content_hash(tensors)})
        return path.stat().st_size
    except OSError as error:
        raise explain(error, path) from error


def adapter_metadata(kind: Kind, family: Family) -> dict[str, str]:
    """What a file of adapters says beside a model's metadata: ModelSpec's architecture, and kohya's rank and alpha."""
    unet = kind.strengths["unet"]
    return {
        "modelspec.architecture": f"{family.modelspec}/lora",
        # A1111 lists a file only beside models of its base.
        "ss_base_model_version": family.kohya,
        "ss_v2": str(family.kohya.startswith("sd_v2")),
        "ss_network_module": "networks.lora" if kind.method == "lora" else f"lycoris.{kind.method}",
        "ss_network_dim": str(unet.rank),
        "ss_network_alpha": str(unet.alpha),
    }


def merged(
    source: Iterable[tuple[str, Tensor]], trained: Mapping[str, Tensor], strength: Strength
) -> dict[str, Tensor]:
    """A component's weights by file name with its adapters in them, in fp32 where there is one."""
    adapters = {f"{module}.weight": kohya_parts(parts, strength) for module, parts in by_module(trained).items()}
    return {name: changed(tensor, adapters[name]) if name in adapters else tensor for name, tensor in source}
