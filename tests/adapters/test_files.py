"""Names in files against a list that is built from diffusers' and transformers' own modules, and our reader."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from core.adapters.files import read_kohya
from core.adapters.parts import changed
from core.choices.adapters import METHODS
from core.config.runfile import to_toml
from core.events import Export
from core.export.run import export_run
from core.families.describe import describe
from core.families.weights import iterate_component
from core.tensors import read_tensors, write_tensors
from core.texts import UserError
from tests.tiny import FAMILY_IDS, read_pipeline
from tests.training.runs import draw_pictures, quick_config, run_to_end

TinyOf = Callable[[str], Path]
ADAPTER = {
    "lora": ["lora_down.weight", "lora_up.weight"],
    "dora": ["lora_down.weight", "lora_up.weight", "dora_scale"],
    "loha": ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"],
    "lokr": ["lokr_w1", "lokr_w2"],
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("data") / "instance", 2)


def trained_file(folder: Path, source: Path, pictures: Path, **changes: Any) -> Path:
    """The export of a run of one step."""
    config = quick_config(
        source, pictures, intervals__max_steps=2, saving__export_when_done=True, performance__text_encoder_ratio=1.0,
        learning_rate__rate=1e-1, lora__enabled=True, lora__rank=4, lora__alpha=2.0, lora__text_encoder_rank=40,
        lora__text_encoder_alpha=3.0, **{"saving__half": False} | changes,
    )  # fmt: skip
    export = next(event for event in run_to_end(config, folder) if isinstance(event, Export))
    (folder / "run.toml").write_text(to_toml(config))
    return folder / export.path


def expected_modules(source: Path) -> dict[str, str]:
    """kohya's name of each attention matrix → component, from the pipeline's own modules."""
    pipeline = read_pipeline(source)
    two = hasattr(pipeline, "text_encoder_2")
    names = {}
    for name, module in pipeline.unet.named_modules():
        if re.search(r"attn[12]\.to_(q|k|v|out\.0)$", name):
            assert isinstance(module, torch.nn.Linear)
            names["lora_unet_" + name.replace(".", "_")] = "unet"
    encoders = {"text_encoder": "lora_te1" if two else "lora_te", "text_encoder_2": "lora_te2"}
    for component, prefix in encoders.items() if two else [("text_encoder", "lora_te")]:
        layers = getattr(pipeline, component).config.num_hidden_layers
        for layer in range(layers):
            for matrix in ("q", "k", "v", "out"):
                names[f"{prefix}_text_model_encoder_layers_{layer}_self_attn_{matrix}_proj"] = component
    return names


@pytest.mark.parametrize(
    ("family", "method"),
    [*((family, "lora") for family in FAMILY_IDS), ("sd1", "dora"), ("sd1", "loha"), ("sd1", "lokr")],
)
def test_a_file_for_other_programs_has_kohyas_names_and_nothing_else(
    tmp_path: Path, tiny_of: TinyOf, pictures: Path, family: str, method: str
) -> None:
    path = trained_file(tmp_path / "run", tiny_of(family), pictures, lora__method=method)
    modules = expected_modules(tiny_of(family))
    tensors = read_tensors(path)
    by_module: dict[str, set[str]] = {}
    for key in tensors:
        module, _, part = key.partition(".")
        by_module.setdefault(module, set()).add(part)
    assert by_module.keys() == modules.keys()
    for module, component in modules.items():
        parts = set(ADAPTER[method]) | {"alpha"}
        if method == "lokr" and component == "unet" and "lokr_w2_a" in by_module[module]:
            parts = parts - {"lokr_w2"} | {"lokr_w2_a", "lokr_w2_b"}
        assert by_module[module] == parts
    if method != "lokr":
        alphas = {component: {tensors[f"{m}.alpha"].item() for m, c in modules.items() if c == component}
                  for component in set(modules.values())}  # fmt: skip
        assert alphas.pop("unet") == {2.0} and all(found == {3.0} for found in alphas.values())


def test_the_metadata_names_the_base_the_rank_and_no_path(tmp_path: Path, tiny_of: TinyOf, pictures: Path) -> None:
    with safe_open(trained_file(tmp_path / "run", tiny_of("sdxl"), pictures), "pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert metadata["ss_base_model_version"].startswith("sdxl_") and metadata["ss_v2"] == "False"
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == ("4", "2.0")
    assert json.loads(metadata["dbtui.settings"])["lora"]["rank"] == 4
    assert str(tmp_path) not in json.dumps(metadata)


@pytest.mark.parametrize("method", METHODS)
def test_our_reader_and_the_formulas_give_the_weights_of_the_merged_export(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, method: str
) -> None:
    run = tmp_path / "run"
    path = trained_file(run, tiny_sd1, pictures, lora__method=method, lora__targets="all")
    description = describe(str(tiny_sd1))
    modules = {component: [name.removesuffix(".weight") for name in names if name.endswith(".weight")]
               for component, names in description.tensors.items()}  # fmt: skip
    found = read_kohya(path, modules)
    assert found.keys() == {"unet", "text_encoder"}
    merged = describe(str(run / export_run(run, format="diffusers").path))
    for component, adapters in found.items():
        source = dict(iterate_component(component, description.tensors[component]))
        for name, tensor in iterate_component(component, merged.tensors[component]):
            adapter = adapters.get(name.removesuffix(".weight")) if name.endswith(".weight") else None
            expected = changed(source[name], adapter) if adapter else source[name]
            torch.testing.assert_close(tensor, expected, rtol=1e-5, atol=1e-6)
        assert any(not torch.equal(changed(source[f"{name}.weight"], adapter), source[f"{name}.weight"])
                   for name, adapter in adapters.items())  # fmt: skip


def test_a_file_for_another_model_is_refused(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x.safetensors", {"lora_unet_foreign.alpha": torch.ones(())}, {})
    with pytest.raises(UserError, match="no LoRA for this model"):
        read_kohya(tmp_path / "x.safetensors", {"unet": ["mid_block"], "text_encoder": []})


def test_half_precision_keeps_alpha_and_halves_the_rest(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    path = trained_file(tmp_path / "run", tiny_sd1, pictures, saving__half=True)
    kinds = {name.rpartition(".")[2]: tensor.dtype for name, tensor in read_tensors(path).items()}
    assert kinds == {"weight": torch.float16, "alpha": torch.float32}


def test_a_merged_model_and_the_adapters_lie_side_by_side(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    path = trained_file(run, tiny_sd1, pictures)
    others = {run / export_run(run, format=chosen).path for chosen in ("lora", "lora-diffusers", "safetensors")}
    assert len({path, *others}) == 4 and all(file.is_file() for file in others)
    assert describe(str(run / "export" / "quick-step-000002-merged.safetensors")).family == "sd1"


@pytest.mark.parametrize(
    ("method", "format"), [("dora", "lora-diffusers"), ("loha", "lora-diffusers"), ("lokr", "lora-diffusers")]
)
def test_a_format_that_cannot_hold_it_is_refused(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, method: str, format: str  # noqa: A002
) -> None:  # fmt: skip
    run = tmp_path / "run"
    trained_file(run, tiny_sd1, pictures, lora__method=method)
    with pytest.raises(UserError, match="cannot hold what this run trained") as refused:
        export_run(run, format=format)
    assert "lora" in str(refused.value.message)
