"""The formats a model can be exported in. The writers stand in `core/export`."""

from __future__ import annotations

from dataclasses import dataclass

from core.choices.adapters import METHODS, WHOLE
from core.choices.entry import Entry
from core.texts import UserError, joined, say

ANY = (WHOLE, *METHODS)


@dataclass(frozen=True)
class ExportFormat(Entry):
    """`suffix` is empty where a folder is written. `methods` are those of training that it can hold: a whole model's
    formats hold every one, adapters merged in.
    """

    registry = "format"

    suffix: str
    methods: tuple[str, ...] = ANY
    mark: str = ""
    """Stands between a file's name and its suffix, where another format has the same."""

    @property
    def is_adapter(self) -> bool:
        """Whether it holds the adapters alone, without the model."""
        return WHOLE not in self.methods


EXPORT_FORMATS: dict[str, ExportFormat] = {
    entry.id: entry
    for entry in (
        ExportFormat(
            "safetensors", "Single file (.safetensors)", "Read by A1111, ComfyUI, Forge and diffusers.", ".safetensors"
        ),
        ExportFormat("ckpt", "Single file (.ckpt)", "The old pickle format, for programs that know no other.", ".ckpt"),
        ExportFormat("diffusers", "diffusers folder", "For Python programs built on diffusers.", ""),
        ExportFormat(
            "lora", "LoRA (.safetensors)", "The small matrices alone, for A1111, ComfyUI, Forge and diffusers.",
            ".safetensors", tuple(METHODS),
        ),
        # diffusers refuses LoHa and LoKr and drops DoRA's lengths without a word.
        ExportFormat(
            "lora-diffusers", "LoRA for diffusers (.safetensors)", "The small matrices alone, under diffusers' names.",
            ".safetensors", ("lora",), "-diffusers",
        ),
    )
}  # fmt: skip


def settle(asked: str, method: str) -> str:
    """What `auto` becomes for a method of training: the model in one file, or the adapters alone."""
    if asked != "auto":
        return asked
    return "safetensors" if method == WHOLE else "lora"


def formats_for(method: str) -> tuple[ExportFormat, ...]:
    """The formats that can hold what this method trained."""
    return tuple(entry for entry in EXPORT_FORMATS.values() if method in entry.methods)


def file_name(name: str, format: str, method: str) -> str:  # noqa: A002 - the option's own name
    """The file or folder of a model called `name`; no two formats that hold something else share one."""
    entry = EXPORT_FORMATS[format]
    merged = "-merged" if method != WHOLE and not entry.is_adapter else ""
    return f"{name}{merged}{entry.mark}{entry.suffix}"


def format_of(name: str, method: str, *, is_folder: bool) -> str:
    """The format of an export called `name`, of a run that trained with this method: `file_name` backwards."""
    if is_folder:
        return "diffusers"
    if name.endswith(EXPORT_FORMATS["ckpt"].suffix):
        return "ckpt"
    if method == WHOLE or name.endswith(f"-merged{EXPORT_FORMATS['safetensors'].suffix}"):
        return "safetensors"
    other = EXPORT_FORMATS["lora-diffusers"]
    return other.id if name.endswith(f"{other.mark}{other.suffix}") else "lora"


def refuse_unfit(format: str, method: str) -> None:  # noqa: A002 - the option's own name
    """`UserError` where a format (not `auto`) cannot hold what this method trained."""
    if method in EXPORT_FORMATS[format].methods:
        return
    trained = say("method.whole", "the whole model") if method == WHOLE else METHODS[method].title
    raise UserError(
        "export.format-unfit", "The format {format} cannot hold what this run trained: {trained}.",
        mend="Choose one of {fitting}.", format=format, trained=trained,
        fitting=joined(entry.id for entry in formats_for(method)),
    )  # fmt: skip
