"""Whether a state was exported before: it is not written a second time under another name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from core.choices.formats import format_of
from core.config.options import RunConfig
from core.export.metadata import SETTINGS_KEY, how_made, run_settings
from core.export.using import exported_files
from core.files import verify_directory
from core.safetensors_header import read_header
from core.texts import UserError

_NAMED = re.compile(r"-step-(\d{6,})(-ema)?(\.|$)")
UNET = Path("unet", "diffusion_pytorch_model.safetensors")
"""Of a diffusers folder: the file that says what all of it is."""


def exported_already(
    exports: Path, config: RunConfig, *, step: int, format: str, half: bool, average: bool = False,  # noqa: A002
    prompts: bool = False,
) -> Path | None:  # fmt: skip
    """The export among `exports` that holds the state of `step` in this format and precision, of a run with the options
    `config`; `None` where none says so of itself. A `.ckpt` says nothing.
    """
    wanted = {**run_settings(config, step, prompts=prompts), **how_made(half=half, average=average, prompts=prompts)}
    for path in exported_files(exports):
        if format_of(path.name, config.method, is_folder=path.is_dir()) != format:
            continue
        try:
            said = _metadata(path)
        except UserError:
            continue
        if wanted.items() <= said.items() and _is_whole(path):
            return path
    return None


def step_of(path: Path) -> int | None:
    """How many steps the export at `path` was trained: as it says itself, else as its name does."""
    try:
        return int(json.loads(_metadata(path)[SETTINGS_KEY])["step"])
    except (UserError, ValueError, TypeError, KeyError):
        named = _NAMED.search(path.name)
        return int(named[1]) if named else None


def _metadata(path: Path) -> Mapping[str, str]:
    """Raises `UserError` for no file of weights, or a damaged one."""
    return read_header(path / UNET if path.is_dir() else path).metadata


def _is_whole(path: Path) -> bool:
    """Of a folder: every file as its manifest says. Reading its header has checked a single file's size."""
    if not path.is_dir():
        return True
    try:
        verify_directory(path)
    except (OSError, UserError):
        return False
    return True
