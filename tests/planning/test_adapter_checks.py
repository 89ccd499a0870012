from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.config.findings import Level
from core.families.stored import StoredTensor
from core.planning.memory import estimate_memory
from core.planning.plan import checkpoint_size, export_size
from core.planning.trained import trained_parameters
from tests.planning.example import codes, config, facts, found, mended, processor, source

ON = {"lora.enabled": True, "learning_rate.rate": "auto"}


def weights(component: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, dict[str, StoredTensor]]:
    return {component: {name: StoredTensor(Path("x"), name, shape) for name, shape in shapes.items()}}


SHAPES = weights("unet", {
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight": (320, 320),
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.weight": (320, 320),
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.bias": (320,),
    "mid_block.attentions.0.transformer_blocks.0.ff.net.2.weight": (320, 1280),
    "mid_block.resnets.0.conv1.weight": (320, 640, 3, 3),
    "conv_in.weight": (320, 4, 3, 3),
}) | weights("text_encoder", {"text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768)})  # fmt: skip


def counted(**changes: Any) -> int:
    dotted = {path.replace("__", "."): value for path, value in changes.items()}
    return trained_parameters(config(ON | dotted), source(tensors=SHAPES))


def test_an_adapter_has_rank_times_the_sides_of_its_weight() -> None:
    assert counted(lora__rank=4) == 2 * 4 * 640
    assert counted(lora__rank=4, lora__targets="attention+mlp") == 2 * 4 * 640 + 4 * 1600
    assert counted(lora__rank=4, lora__targets="all") == 2 * 4 * 640 + 4 * 1600 + 4 * (320 + 640 * 9)
    assert counted(lora__rank=4, performance__text_encoder_ratio=0.5, lora__text_encoder_rank=2) == 5120 + 2 * 1536
    assert counted(lora__rank=4, lora__method="dora") == 2 * 4 * 640 + 2 * 320


def test_lora_keeps_and_exports_its_adapters_alone() -> None:
    made, world = config(ON | {"lora.rank": 4, "performance.optimizer": "adamw"}), source(tensors=SHAPES)
    assert checkpoint_size(made, facts(source=world), world) == 5120 * 12
    assert export_size(made, world) == 5120 * 2
    merged = config(ON | {"saving.export_format": "safetensors"})
    assert export_size(merged, world) == sum(world.parameters.values()) * 2


def test_memory_counts_the_base_in_the_runs_precision_and_the_adapters_in_32_bits() -> None:
    world = source(tensors=SHAPES)
    for precision, width in (("no", 4), ("bf16", 2)):
        made = config(ON | {"lora.rank": 4, "performance.mixed_precision": precision, "performance.optimizer": "adamw"})
        unet, text, vae = (world.parameters[name] for name in ("unet", "text_encoder", "vae"))
        need = estimate_memory(made, world, processor()).training
        assert need.weights == (unet + text) * width + vae * 4 + 5120 * 4, "on a processor all of them stay"
        assert (need.gradients, need.optimizer) == (5120 * 4, 5120 * 8)


@pytest.mark.parametrize(
    ("option", "value"),
    [("method", "dora"), ("rank", 8), ("alpha", 8.0), ("text_encoder_rank", 8), ("targets", "all")],
)
def test_options_of_lora_need_lora(option: str, value: Any) -> None:
    finding = found("lora.unused", {f"lora.{option}": value})
    assert finding.level is Level.WARNING and finding.field == f"lora.{option}"
    assert all("lora.unused" not in left for left in mended(finding, {f"lora.{option}": value}, facts(source=None)))


def test_a_text_encoder_that_never_trains_has_no_rank_of_its_own() -> None:
    changes = ON | {"lora.text_encoder_rank": 8}
    world = facts(source=None)
    assert found("lora.text-encoder-unused", changes, world).field == "lora.text_encoder_rank"
    assert "lora.text-encoder-unused" not in codes(changes | {"performance.text_encoder_ratio": 0.5}, world)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"saving.export_format": "lora"}, "export.no-lora"),
        ({"saving.export_format": "lora-diffusers"}, "export.no-lora"),
        (ON | {"lora.method": "loha", "saving.export_format": "lora-diffusers"}, "export.format-method"),
    ],
)
def test_a_format_that_cannot_hold_what_is_trained_is_an_error(changes: dict[str, Any], code: str) -> None:
    finding = found(code, changes, facts(source=None))
    assert finding.level is Level.ERROR and finding.fixes
    assert all(code not in left for left in mended(finding, changes, facts(source=None)))


@pytest.mark.parametrize("export_format", ["auto", "safetensors", "diffusers", "lora", "lora-diffusers"])
def test_lora_goes_into_every_format(export_format: str) -> None:
    found = codes(ON | {"saving.export_format": export_format}, facts(source=None))
    assert not {code for code in found if code.startswith("export.")}


def test_the_rate_of_auto_is_that_of_the_method_and_each_is_judged_by_its_own() -> None:
    assert (config({}).rate, config(ON).rate, config({"learning_rate.rate": 3e-5}).rate) == (1e-6, 1e-4, 3e-5)
    world = facts(source=None)
    assert not {"rate.low", "rate.high"} & codes(ON, world)
    assert "rate.low" in codes({"lora.enabled": True, "learning_rate.rate": 2e-6}, world), "a whole model's"
    assert "rate.high" in codes({"learning_rate.rate": 3e-4}, world)
    assert "rate.high" not in codes({"lora.enabled": True, "learning_rate.rate": 3e-4}, world)
