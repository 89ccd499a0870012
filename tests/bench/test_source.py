from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.bench.source import make_source, shrunken
from core.families import FAMILIES
from core.families.describe import describe
from core.families.load import load_model


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_source_is_of_its_family_and_loads(family: str, tmp_path: Path) -> None:
    found = describe(str(make_source(family, tmp_path, real=False, device=torch.device("cpu"))))
    assert (found.family, found.kind) == (family, "folder")
    assert found.parameters["unet"] < 10_000_000
    model = load_model(found, device="cpu")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in model.unet.state_dict().values())
    assert found.configs["unet"]["down_block_types"] == list(
        FAMILIES[family].shipped_configs()["unet"]["down_block_types"]
    )


def test_tiny_networks_keep_what_tells_families_apart() -> None:
    assert shrunken(FAMILIES["sdxl"])["unet"]["addition_embed_type"] == "text_time"
    assert shrunken(FAMILIES["sd2"])["scheduler"]["prediction_type"] == "v_prediction"
