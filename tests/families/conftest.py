"""A loaded tiny model and the same as a single file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.export.exporters import export_model
from core.export.run import tokenizer_files
from core.families.describe import describe
from core.families.keys import classic_names
from core.families.load import load_model
from core.families.model import Model
from core.safetensors_header import read_header


@pytest.fixture(scope="session")
def tiny_model(tiny_sd1: Path) -> Model:
    """Loaded once; do not change it."""
    return load_model(describe(str(tiny_sd1)), device="cpu")


def export(model: Model, path: Path, format: str = "safetensors", half: bool = False) -> Path:  # noqa: A002
    """Write a model without metadata."""
    parts = {name: classic_names(name, network.state_dict()) for name, network in model.networks.items()}
    export_model(parts, model.configs, tokenizer_files(model.description), path, format, half, {}, family=model.family)
    return path


@pytest.fixture(scope="session")
def tiny_single(tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a single .safetensors. Never write into it."""
    return export(tiny_model, tmp_path_factory.mktemp("single") / "tiny.safetensors")


def changed(single: Path, folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    """A copy of a single file with other tensors and the same metadata."""
    path = folder / "changed.safetensors"
    save_file(change(load_file(single)), path, read_header(single).metadata)
    return path
