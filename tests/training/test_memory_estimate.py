"""The estimate of a step's memory beside every tensor that is alive in one: the real networks, computed in shapes."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from peft import inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from core.adapters.inject import _config
from core.adapters.kind import kind_of
from core.choices.adapters import WHOLE
from core.config.options import RunConfig
from core.families import FAMILIES
from core.families.stored import StoredTensor
from core.planning.memory import DECODING_BYTES, ENCODING_BYTES, estimate_memory
from tests.planning.example import card, config, source
from tests.training.live_tensors import Live, counted, norms_as_on_a_gpu

NO_CLASS = {"concepts.0.prior.images_per_instance": 0, "performance.optimizer": "adamw"}
CHECKPOINTED = {"performance.gradient_checkpointing": True}
HALF, FULL = {"performance.mixed_precision": "bf16"}, {"performance.mixed_precision": "no"}
LORA = {"lora.enabled": True, "learning_rate.rate": "auto"}
NARROW = {"block_out_channels": [64, 128, 256, 256]}


def network(made: RunConfig, unet: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A U-Net as the trainer holds it, in the shapes of its weights."""
    adapted = made.method != WHOLE
    half = made.performance.weights == "bf16" or (adapted and made.performance.mixed_precision == "bf16")
    torch.set_default_dtype(torch.bfloat16 if half else torch.float32)
    try:
        built: nn.Module = UNet2DConditionModel.from_config(unet).train()
    finally:
        torch.set_default_dtype(torch.float32)
    if adapted:
        built.requires_grad_(False)
        kind = kind_of(made.lora, ("text_encoder",))
        assert kind is not None
        # Tensors that are only shapes cannot be moved.
        monkeypatch.setattr(BaseTunerLayer, "_move_adapter_to_device_of_base_layer", lambda *a, **k: None)
        monkeypatch.setattr(nn.Module, "to", lambda self, *a, **k: self)
        inject_adapter_in_model(_config("unet", kind, kind.strengths["unet"]), built)
        for name, parameter in built.named_parameters():
            if "lora_" in name or "hada_" in name or "lokr_" in name:
                parameter.data = parameter.data.float()
                parameter.requires_grad_(True)
    if made.performance.gradient_checkpointing:
        built.enable_gradient_checkpointing()
    return built


def step(made: RunConfig, built: nn.Module, unet: Mapping[str, Any], side: int) -> None:
    """Forward and backward of each pass."""
    for _ in range(made.batch.accumulation):
        x, t = torch.randn(made.batch.size, 4, side, side), torch.zeros(made.batch.size, dtype=torch.long)
        more: dict[str, Any] = {}
        if unet.get("addition_embed_type") == "text_time":
            more = {"added_cond_kwargs": {"text_embeds": torch.randn(len(x), 1280), "time_ids": torch.zeros(len(x), 6)}}
        words = torch.randn(len(x), 77, unet["cross_attention_dim"])
        halved = made.performance.mixed_precision == "bf16"
        with torch.autocast("cpu", dtype=torch.bfloat16) if halved else nullcontext():
            pred: Tensor = built(x, t, encoder_hidden_states=words, return_dict=False, **more)[0]
        loss = (pred.float() - torch.randn_like(pred, dtype=torch.float32)).square().mean()
        loss.backward()
        del pred, loss


def measured(
    made: RunConfig, unet: Mapping[str, Any], side: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, dict[str, StoredTensor]]:
    """The most that gradients and activations take, in bytes, and the network's tensors by their shapes."""
    with counted() as live, norms_as_on_a_gpu():
        built = network(made, unet, monkeypatch)
        stored = {
            name.replace(".base_layer", ""): StoredTensor(Path("x"), name, tuple(parameter.shape))
            for name, parameter in built.named_parameters()
            if parameter.requires_grad == (made.method == WHOLE)
        }
        gc.collect()
        before = live.now
        live.forget()
        step(made, built, unet, side)
        return live.most - before, stored


CASES = [
    pytest.param("sd1", 512, FULL | CHECKPOINTED, NARROW, id="narrow"),
    pytest.param("sd1", 512, HALF | LORA, NARROW, id="narrow lora"),
    *(
        pytest.param(family, size, changes, {}, id=f"{family} {size} {name}", marks=pytest.mark.slow)
        for family, size, name, changes in [
            ("sd1", 512, "fp32", FULL),
            ("sd1", 512, "checkpointed", FULL | CHECKPOINTED),
            ("sd1", 512, "bf16", HALF),
            ("sd1", 512, "bf16 checkpointed", HALF | CHECKPOINTED),
            ("sd1", 512, "accumulated", HALF | CHECKPOINTED | {"batch.accumulation": 2}),
            ("sd1", 512, "batch of 4", HALF | {"batch.size": 4}),
            ("sd1", 512, "bf16 weights", HALF | {"performance.weights": "bf16"}),
            ("sd1", 512, "lora", HALF | LORA),
            ("sd1", 512, "lora checkpointed", HALF | LORA | CHECKPOINTED),
            ("sd1", 512, "lora all", HALF | LORA | {"lora.targets": "all"}),
            ("sd1", 512, "dora", HALF | LORA | {"lora.method": "dora"}),
            ("sd1", 512, "dora in fp32", FULL | LORA | {"lora.method": "dora"}),
            ("sd2", 768, "bf16 checkpointed", HALF | CHECKPOINTED),
            ("sd2", 768, "lora", HALF | LORA),
            ("sdxl", 1024, "lora", HALF | LORA),
            ("sdxl", 1024, "lora checkpointed", HALF | LORA | CHECKPOINTED),
            ("sdxl", 1024, "bf16 weights checkpointed", HALF | CHECKPOINTED | {"performance.weights": "bf16"}),
        ]
    ),
]


@pytest.mark.parametrize(("family", "size", "changes", "narrower"), CASES)
def test_a_step_takes_what_was_estimated(
    family: str, size: int, changes: dict[str, Any], narrower: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = FAMILIES[family].shipped_configs()
    unet = {**configs["unet"], **narrower}
    made = config(NO_CLASS | {"model.resolution": size} | changes)
    most, stored = measured(made, unet, size // 8, monkeypatch)
    numbers = sum(tensor.elements for tensor in stored.values())
    plain = source(family)
    world = source(
        family, configs={**configs, "unet": unet}, tensors={**plain.tensors, "unet": stored},
        parameters={**plain.parameters, "unet": numbers},
    )  # fmt: skip
    training = estimate_memory(made, world, card()).training
    assert training.gradients + training.pictures == pytest.approx(most, rel=0.1, abs=0.03 * training.total)


@pytest.mark.parametrize("size", [512, 1024])
def test_the_vae_takes_what_was_estimated(size: int) -> None:
    values = FAMILIES["sdxl"].shipped_configs()["vae"]
    with counted() as live, torch.no_grad():
        vae = AutoencoderKL.from_config(values)
        numbers = size * size * values["block_out_channels"][0]
        assert most(live, lambda: vae.decode(torch.randn(1, 4, size // 8, size // 8))) == pytest.approx(
            DECODING_BYTES * numbers, rel=0.02
        )
        assert most(live, lambda: vae.encode(torch.randn(1, 3, size, size))) == pytest.approx(
            ENCODING_BYTES * numbers, rel=0.02
        )


def most(live: Live, compute: Any) -> int:
    live.forget()
    before = live.now
    compute()
    return live.most - before
