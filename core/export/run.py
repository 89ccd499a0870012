"""From a run to a model for other programs: what was trained, and the rest from its source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from core.adapters.files import Stored
from core.adapters.kind import Kind, kind_of
from core.choices.formats import EXPORT_FORMATS, file_name, refuse_unfit
from core.config import runfile
from core.config.options import RunConfig
from core.events import Export
from core.export.adapters import adapter_metadata, export_adapter, merged
from core.export.exporters import export_model
from core.export.metadata import how_made, modelspec, run_settings
from core.families import FAMILIES, keys
from core.families.describe import SourceDescription, describe
from core.families.model import Model
from core.families.tokenizer_files import TOKENIZER_FILES
from core.families.vocabulary import END, START, merges, vocabulary
from core.families.weights import iterate_component
from core.files import verify_directory
from core.tensors import read_tensors
from core.texts import UserError, listed, path_in_words

_CHECKPOINT = re.compile(r"step-(\d{6,})")
_AVERAGE = "average.safetensors"


def export_run(
    run_folder: Path,
    *,
    step: int | None = None,
    format: str | None = None,  # noqa: A002 - the option's own name
    half: bool | None = None,
    output: Path | None = None,
    prompts: bool = False,
    average: bool = False,
) -> Export:
    """Export the saved state of a run at `step` (the newest where `None`); `format` and `half` as its run.toml says.
    With `average` the averaged weights take the place of those that were trained.

    `output` is a file or folder that does not exist yet, or an existing folder to put it into; without it the model
    goes into the run's own `export/`. Raises `UserError`; a state that is damaged is refused by name.
    """
    config = runfile.read(run_folder / "run.toml")
    format = format or config.export_format  # noqa: A001
    refuse_unfit(format, config.method)
    found, checkpoint = _checkpoint(run_folder / "checkpoints", step)
    verify_directory(checkpoint)
    model = config.model
    description = describe(model.source, model.revision, model.variant, family=model.family, vae=model.vae)
    trained: Stored = {
        component: read_tensors(checkpoint / f"{component}.safetensors")
        for component in FAMILIES[description.family].components
        if (checkpoint / f"{component}.safetensors").exists()
    }
    name = f"{config.saving.export_name or config.model.name or run_folder.name}-step-{found:06d}{'-ema' * average}"
    if average:
        trained = _averaged(trained, checkpoint)
    path = _destination(output, run_folder / "export", file_name(name, format, config.method), format)
    half = config.saving.half if half is None else half
    return _export(trained, description, config, path, run_folder, format, half, found, prompts, average)


def export_trained(
    model: Model, trained: Stored, config: RunConfig, folder: Path, *, name: str, step: int, average: bool = False
) -> Export:
    """Export what is in memory into the run's `export/` under `name`, as its options say. `trained` is component →
    name → parameter, or its `average`; the rest of a whole model comes from `model`, of one with adapters from its
    source.
    """
    whole = {} if config.lora.enabled else {
        component: keys.classic_names(component, network.state_dict()) for component, network in model.networks.items()
    }  # fmt: skip
    path = trained_export(config, folder, name)
    return _export({**whole, **trained}, model.description, config, path, folder, config.export_format,
                   config.saving.half, step, False, average)  # fmt: skip


def trained_export(config: RunConfig, folder: Path, name: str) -> Path:
    """Where `export_trained` puts the file or folder called `name`."""
    return folder / "export" / file_name(name, config.export_format, config.method)


def tokenizer_files(description: SourceDescription) -> dict[str, dict[str, bytes]]:
    """Folder → the source's own tokenizer files, or those of the shipped vocabulary."""
    return {encoder.tokenizer: _tokenizer_files(description, encoder.tokenizer)
            for encoder in FAMILIES[description.family].encoders}  # fmt: skip


def _tokenizer_files(description: SourceDescription, folder: str) -> dict[str, bytes]:
    if folder in description.tokenizers:
        own = [description.tokenizers[folder].folder / name for name in TOKENIZER_FILES]
        return {file.name: file.read_bytes() for file in own if file.is_file()}
    config = FAMILIES[description.family].shipped_tokenizer(folder)
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": config["pad_token"]}
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges())]
    return {
        "vocab.json": json.dumps(vocabulary(), ensure_ascii=False).encode(),
        "merges.txt": "\n".join([*lines, ""]).encode(),
        "tokenizer_config.json": json.dumps(config, indent=2).encode(),
        "special_tokens_map.json": json.dumps(special, indent=2).encode(),
    }  # fmt: skip


def _export(
    trained: Stored, description: SourceDescription, config: RunConfig, path: Path, folder: Path, format: str,  # noqa: A002
    half: bool, step: int, prompts: bool, average: bool,
) -> Export:  # fmt: skip
    family = FAMILIES[description.family]
    metadata = modelspec(family, description, path.name.removesuffix(EXPORT_FORMATS[format].suffix))
    metadata |= run_settings(config, step, prompts=prompts)
    metadata |= how_made(half=half, average=average, prompts=prompts)
    kind = kind_of(config.lora, family.text_encoders)
    if kind is not None and EXPORT_FORMATS[format].is_adapter:
        size = export_adapter(trained, kind, path, format, half,
                              metadata | adapter_metadata(kind, family))  # fmt: skip
    else:
        parts = {component: _component(component, trained, kind, description) for component in family.components}
        size = export_model(
            parts, description.configs, tokenizer_files(description), path, format, half, metadata, family=family
        )
    inside = path.is_relative_to(folder)
    return Export(path=str(path.relative_to(folder) if inside else path), format=format, bytes=size)


def _component(
    component: str, trained: Stored, kind: Kind | None, description: SourceDescription
) -> Mapping[str, Tensor]:
    """All of a component's weights: those that were trained, or the source's with what was trained merged in."""
    if component in trained and kind is None:
        return trained[component]
    source = iterate_component(component, description.tensors[component])
    return (
        merged(source, trained[component], kind.strengths[component]) if kind and component in trained else dict(source)
    )


def _averaged(trained: Stored, checkpoint: Path) -> Stored:
    """What was trained, with its average wherever the state holds one."""
    path = checkpoint / _AVERAGE
    if not path.exists():
        raise UserError(
            "export.no-average", "{checkpoint} holds no average of the weights.",
            mend="Export without --ema; a run keeps an average if Average (EMA), performance.ema, is on when it "
            "is made.",
            checkpoint=path_in_words(checkpoint),
        )  # fmt: skip
    average = read_tensors(path)
    return {
        component: {name: average.get(f"{component}/{name}", tensor) for name, tensor in tensors.items()}
        for component, tensors in trained.items()
    }


def _checkpoint(folder: Path, step: int | None) -> tuple[int, Path]:
    names = sorted(folder.iterdir()) if folder.is_dir() else []
    found = {int(match[1]): path for path in names if (match := _CHECKPOINT.fullmatch(path.name))}
    if not found:
        raise UserError(
            "export.nothing-saved", "Nothing of this run is saved yet: {folder} holds no state.",
            mend="Train it first, or save a state while it trains (key s, or `dbtui save NAME`).",
            folder=path_in_words(folder),
        )  # fmt: skip
    if step is not None and step not in found:
        raise UserError(
            "export.no-such-step", "No state of step {step} is saved; there are {steps}.",
            mend="Choose one of them with --step, or leave --step out for the newest.",
            step=step, steps=listed(sorted(found)),
        )  # fmt: skip
    chosen = max(found) if step is None else step
    return chosen, found[chosen]


def _destination(output: Path | None, own: Path, name: str, format: str) -> Path:  # noqa: A002
    suffix = EXPORT_FORMATS[format].suffix
    if output is None:
        return own / name
    path = output.expanduser()
    if path.is_dir():
        path = path / name
    elif suffix and path.suffix != suffix:
        if path.suffix in {known.suffix for known in EXPORT_FORMATS.values()} - {""}:
            raise UserError(
                "export.suffix", "{path} ends in {given}, but a model in the format {format} ends in {suffix}.",
                mend="Give it that ending, or choose the other format with --format.",
                path=path_in_words(path), given=path.suffix, format=format, suffix=suffix,
            )  # fmt: skip
        path = path.with_name(path.name + suffix)
    if path.exists():
        raise UserError(
            "export.exists", "{path} exists already; exports never replace files of yours.",
            mend="Choose another name with -o, or move it away.", path=path_in_words(path),
        )  # fmt: skip
    return path
