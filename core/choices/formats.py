"""The formats a model can be exported in. The writers stand in `core/export`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportFormat:
    """`suffix` is empty where a folder is written."""

    id: str
    title: str
    help: str
    suffix: str


EXPORT_FORMATS: dict[str, ExportFormat] = {
    entry.id: entry
    for entry in (
        ExportFormat(
            "safetensors", "Single file (.safetensors)", "Read by A1111, ComfyUI, Forge and diffusers.", ".safetensors"
        ),
        ExportFormat("ckpt", "Single file (.ckpt)", "The old pickle format, for programs that know no other.", ".ckpt"),
        ExportFormat("diffusers", "diffusers folder", "For Python programs built on diffusers.", ""),
    )
}
