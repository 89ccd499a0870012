from __future__ import annotations

from typing import Any

from core.planning.memory import LIBRARIES, estimate_memory
from tests.planning.example import config, processor, source

UNET, TEXT = 859_520_964, 123_060_480
MB = 1_000_000
BASE = {"performance.mixed_precision": "no", "concepts.0.prior.images_per_instance": 0}


def estimate(changes: dict[str, Any] | None = None, **source_changes: Any) -> Any:
    return estimate_memory(config(BASE | (changes or {})), source(**source_changes), processor())


def test_each_trained_parameter_takes_its_weight_its_gradient_and_the_optimizers_state() -> None:
    assert estimate().fixed == UNET * 16
    assert estimate({"performance.optimizer": "adamw_8bit"}).fixed == round(UNET * 10.03)
    assert estimate({"performance.text_encoder_ratio": 0.1}).fixed == (UNET + TEXT) * 16
    assert estimate().total == estimate().fixed + estimate().activations + LIBRARIES


def test_activations_are_those_measured_on_the_real_network() -> None:
    """1871 MB at 512 px and 474 MB at 256 px in fp32, 309 MB with checkpointing, 201 MB at 256 px in bf16."""
    assert abs(estimate().activations / (1871 * MB) - 1) < 0.05
    assert abs(estimate({"model.resolution": 256}).activations / (474 * MB) - 1) < 0.05
    checkpointed = estimate({"performance.gradient_checkpointing": True}).activations
    assert 309 * MB < checkpointed < 2 * 309 * MB
    half = estimate({"performance.mixed_precision": "bf16", "model.resolution": 256})
    assert abs(half.activations / (201 * MB) - 1) < 0.05
    assert half.fixed == UNET * 18


def test_activations_follow_the_width_of_the_network() -> None:
    """376 MB were measured on channels of 64, 128, 256, 256 at a latent side of 64."""
    narrow = {"unet": {"block_out_channels": [64, 128, 256, 256]}, "text_encoder": {}}
    assert abs(estimate(configs=narrow).activations / (376 * MB) - 1) < 0.05


def test_activations_grow_with_the_pictures_of_a_pass_and_not_with_accumulation() -> None:
    one = estimate().activations
    assert estimate({"batch.size": 4}).activations == 4 * one
    assert estimate({"batch.accumulation": 4}).activations == one
    assert estimate({"concepts.0.prior.images_per_instance": 2}).activations == 2 * one
