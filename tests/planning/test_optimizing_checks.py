from __future__ import annotations

from typing import Any

import pytest

from core.config.findings import Level
from tests.planning.example import card, codes, facts, found, mended, processor

BF16 = {"performance.weights": "bf16"}
ON_A_CARD = facts(machine=card())


@pytest.mark.parametrize(
    ("optimizer", "option", "value"),
    [("lion", "eps", 1e-6), ("adafactor", "betas", "0.9, 0.99")],
)
def test_numbers_that_the_optimizer_does_not_use_do_nothing(optimizer: str, option: str, value: Any) -> None:
    changes = {"performance.optimizer": optimizer, f"performance.{option}": value}
    finding = found("optimizer.option-unused", changes)
    assert finding.level is Level.WARNING and mended(finding, changes) == [set()]
    assert codes({f"performance.{option}": value}) == set(), "AdamW uses both"


def test_prodigy_refuses_a_rate_of_the_text_encoders_own() -> None:
    changes = {"performance.optimizer": "prodigy", "performance.text_encoder_ratio": 0.5,
               "performance.text_encoder_rate": 0.5}  # fmt: skip
    finding = found("optimizer.one-rate", changes)
    assert finding.level is Level.ERROR and mended(finding, changes)[0] == set()
    assert codes(changes | {"performance.text_encoder_rate": 1.0}) == set(), "the same rate"


def test_weights_in_bf16_need_arithmetic_in_bf16() -> None:
    for precision in ("no", "fp16"):
        changes = BF16 | {"performance.mixed_precision": precision}
        finding = found("weights.precision", changes, ON_A_CARD)
        assert finding.level is Level.ERROR
        assert all("weights.precision" not in left for left in mended(finding, changes, ON_A_CARD))
    old = facts(machine=processor(knows_bf16=False))
    assert "weights.precision" not in codes(BF16, old), "auto follows the weights"


def test_weights_in_bf16_are_refused_with_an_optimizer_that_needs_all_of_them_at_once() -> None:
    changes = BF16 | {"performance.optimizer": "prodigy"}
    finding = found("weights.optimizer", changes)
    assert finding.level is Level.ERROR and mended(finding, changes) == [set(), set()]


def test_weights_in_bf16_do_nothing_for_lora() -> None:
    changes = BF16 | {"lora.enabled": True}
    world = facts(source=None)
    finding = found("weights.unused", changes, world)
    assert finding.level is Level.WARNING and "weights.unused" not in mended(finding, changes, world)[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [("performance.ema_decay", 0.99), ("performance.ema_previews", True), ("saving.include_ema", True)],
)
def test_options_of_an_average_that_is_not_kept_do_nothing(option: str, value: Any) -> None:
    finding = found("ema.unused", {option: value})
    assert finding.level is Level.WARNING and finding.field == option
    assert mended(finding, {option: value}) == [set(), set()]


def test_an_average_that_is_neither_shown_nor_written_is_told() -> None:
    shown = {"performance.ema": True, "performance.ema_previews": True, "concepts.0.sample.count": 0}
    assert found("ema.nothing-to-do", shown).field == "performance.ema_previews"
    written = {"performance.ema": True, "saving.include_ema": True, "saving.export_when_done": False,
               "saving.on_cancel": False}  # fmt: skip
    assert found("ema.nothing-to-do", written).field == "saving.include_ema"


def test_a_paged_optimizer_without_cuda_is_an_error_with_the_alternative() -> None:
    changes = {"performance.optimizer": "paged_adamw_8bit"}
    finding = found("optimizer.needs-cuda", changes)
    assert finding.level is Level.ERROR and mended(finding, changes) == [set()]
    assert "optimizer.needs-cuda" not in codes(changes, ON_A_CARD)


def test_an_optimizer_that_is_offered_in_the_place_of_another_works_here() -> None:
    world = facts(missing_modules=frozenset({"bitsandbytes"}))
    finding = found("optimizer.unavailable", {"performance.optimizer": "lion"}, world)
    offered = [fix.changes["performance.optimizer"] for fix in finding.fixes]
    assert offered == ["adamw", "adafactor", "prodigy"]
