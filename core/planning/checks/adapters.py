"""LoRA and its kin: options that would do nothing, and formats that cannot hold what is trained."""

from __future__ import annotations

from collections.abc import Iterator

from core.choices.adapters import METHODS, WHOLE
from core.choices.formats import EXPORT_FORMATS, formats_for
from core.config.findings import Finding, Fix, Level
from core.config.options import LoraOptions, RunConfig
from core.config.table import find_option
from core.planning.facts import Facts
from core.texts import joined, message

TEXT_ENCODER = ("text_encoder_rank", "text_encoder_alpha")
USUAL = LoraOptions()


def unused(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Options of LoRA while the model itself is trained, and of a text encoder that never trains."""
    changed = [name for name in LoraOptions.model_fields if getattr(config.lora, name) != getattr(USUAL, name)]
    if not config.lora.enabled and changed:
        yield Finding(Level.WARNING, f"lora.{changed[0]}", message(
            "lora.unused", "{options}: this does nothing, because LoRA is off.",
            mend="Turn LoRA on, or put it back.", options=_titles(changed)),
            (Fix(message("fix.lora", "Turn LoRA on"), {"lora.enabled": True}), _back(changed)))  # fmt: skip
        return
    of_text = [name for name in changed if name in TEXT_ENCODER]
    if of_text and config.performance.text_encoder_ratio == 0:
        yield Finding(Level.WARNING, f"lora.{of_text[0]}", message(
            "lora.text-encoder-unused", "{options}: this does nothing, because the text encoder never trains.",
            mend="Set the text encoder's ratio (0.7 for faces, 0.2 for styles), or put it back.",
            options=_titles(of_text)), (_back(of_text),))  # fmt: skip


def export_format(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A file of small matrices alone needs small matrices, and diffusers' kind only those of LoRA itself."""
    chosen = config.saving.export_format
    if chosen == "auto" or config.method in EXPORT_FORMATS[chosen].methods:
        return
    fixes = tuple(Fix(message("fix.format", "Export as {format}", format=entry.title),
                      {"saving.export_format": entry.id}) for entry in formats_for(config.method))  # fmt: skip
    if config.method == WHOLE:
        yield Finding(Level.ERROR, "saving.export_format", message(
            "export.no-lora", "The format {format} holds the matrices of a LoRA run, and LoRA is off.",
            mend="Choose another format, or turn LoRA on.", format=chosen),
            (*fixes, Fix(message("fix.lora", "Turn LoRA on"), {"lora.enabled": True})))  # fmt: skip
    else:
        yield Finding(Level.ERROR, "saving.export_format", message(
            "export.format-method", "The format {format} cannot hold {method}: diffusers does not read it.",
            mend="Choose another format.", format=chosen, method=METHODS[config.method].title), fixes)  # fmt: skip


CHECKS = (unused, export_format)


def _titles(names: list[str]) -> str:
    return joined(find_option(f"lora.{name}").title for name in names)


def _back(names: list[str]) -> Fix:
    return Fix(message("fix.back", "Put it back"), {f"lora.{name}": getattr(USUAL, name) for name in names})
