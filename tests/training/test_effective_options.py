"""Every option that changes what is learned does so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.asking import steps_of
from tests.training.runs import final_weights, quick_config, run_to_end

EFFECTIVE = {
    "performance.snr_gamma": 1.0,
    "performance.betas": "0.5, 0.7",
    "performance.eps": 0.1,
    "prior_loss.scaled": True,
    "performance.offset_noise": 0.3,
    "performance.max_grad_norm": 0.01,
    "performance.weight_decay": 0.9,
    "performance.seed": 8,
    "performance.text_encoder_rate": 1e-4,
    "performance.text_encoder_ratio": 1.0,
    "performance.mixed_precision": "bf16",
    "performance.optimizer": "adamw_8bit",
    "learning_rate.rate": 5e-4,
    "learning_rate.scheduler": "cosine",
    "learning_rate.warmup_steps": 4,
    "batch.size": 2,
    "batch.accumulation": 2,
    "model.resolution": 48,
    "prior_loss.weight": 0.1,
    "intervals.epochs": 3,
    "intervals.max_steps": 3,
    "concepts.0.instance.repeats": 2,
    "concepts.0.instance.prompt": "a photo of {identifier} {class}",
    "concepts.0.instance.identifier": "ohwx",
    "concepts.0.prior.prompt": "a cat",
    "concepts.0.prior.images_per_instance": 2,
    "concepts.0.prior.guidance_scale": 1.0,
    "concepts.0.prior.steps": 3,
    "concepts.0.prior.negative_prompt": "a cat",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_sd1: Path, pictures: Path) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("plain") / "run"
    run_to_end(quick_config(tiny_sd1, pictures, concepts__0__prior__images_per_instance=1), folder)
    return final_weights(folder)


@pytest.mark.parametrize("option", EFFECTIVE)
def test_no_option_is_shown_and_ignored(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, plain: dict[str, str], option: str
) -> None:
    changes = {"concepts.0.prior.images_per_instance": 1, option: EFFECTIVE[option]}
    run_to_end(quick_config(tiny_sd1, pictures, **changes), tmp_path / "run")
    assert final_weights(tmp_path / "run")["unet.safetensors"] != plain["unet.safetensors"]


@pytest.mark.parametrize(
    ("option", "value", "other", "needed"),
    [
        ("prior_loss.minimum", 0.5, "prior_loss.scaled", True),
        ("prior_loss.target_epoch", 1, "prior_loss.scaled", True),
        ("learning_rate.cycles", 2, "learning_rate.scheduler", "cosine_with_restarts"),
        ("learning_rate.power", 2.0, "learning_rate.scheduler", "polynomial"),
    ],
)
def test_no_option_is_ignored_that_needs_another(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, option: str, value: Any, other: str, needed: Any
) -> None:
    changes = {"concepts.0.prior.images_per_instance": 1, "intervals.max_steps": 3, other: needed}
    run_to_end(quick_config(tiny_sd1, pictures, **changes), tmp_path / "without")
    run_to_end(quick_config(tiny_sd1, pictures, **changes, **{option: value}), tmp_path / "with")
    assert final_weights(tmp_path / "with") != final_weights(tmp_path / "without")


def test_final_rate_is_where_a_falling_scheduler_ends(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, learning_rate__scheduler="cosine", learning_rate__final_rate=1e-4)
    rates = [step.rate for step in steps_of(run_to_end(config, tmp_path / "run"))]
    assert rates[0] == pytest.approx(1e-3) and rates[-1] == pytest.approx(1e-4)
    assert rates == sorted(rates, reverse=True)
