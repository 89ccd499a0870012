"""Attention, what is trained, rests: refused or warned about before the run starts."""

from __future__ import annotations

import pytest

from core.choices.attention import XFORMERS_FLOOR
from core.config.findings import Level
from tests.planning.example import card, codes, facts, found, mended

ATTENTION = "performance.attention"


@pytest.mark.parametrize(
    ("world", "code"),
    [
        (facts(machine=card()), "attention.missing"),
        (facts(machine=card(), versions={"xformers": "0.0.33.post2+cu128"}), "attention.too-old"),
        (facts(versions={"xformers": XFORMERS_FLOOR}), "attention.needs-gpu"),
    ],
)
def test_xformers_that_cannot_work_is_an_error_that_names_the_version_needed(world, code: str) -> None:  # type: ignore[no-untyped-def]
    finding = found(code, {ATTENTION: "xformers"}, world)
    assert finding.level is Level.ERROR and finding.field == ATTENTION
    assert code == "attention.needs-gpu" or XFORMERS_FLOOR in str(finding.message) + finding.message.advice
    assert mended(finding, {ATTENTION: "xformers"}, world) == [codes({}, world)]


def test_xformers_on_a_gpu_is_fine_unless_bits_are_to_repeat() -> None:
    world = facts(machine=card(), versions={"xformers": "0.0.40"})
    assert codes({ATTENTION: "xformers"}, world) == codes({}, world)
    both = {ATTENTION: "xformers", "performance.deterministic": True}
    assert found("attention.not-repeatable", both, world).level is Level.ERROR
    assert "attention.not-repeatable" not in codes({"performance.deterministic": True}, world)


@pytest.mark.parametrize("ratio", [0.0, 0.7])
def test_a_run_that_would_come_to_train_nothing_is_an_error(ratio: float) -> None:
    changes = {"performance.train_unet": False, "performance.text_encoder_ratio": ratio}
    finding = found("trained.nothing", changes)
    assert finding.level is Level.ERROR
    assert all("trained.nothing" not in left for left in mended(finding, changes))
    assert "trained.nothing" not in codes({**changes, "performance.text_encoder_ratio": 1.0})


@pytest.mark.parametrize("half", [{"intervals.pause_every_epochs": 5}, {"intervals.pause_seconds": 30.0}])
def test_half_a_rest_is_none_and_said_so(half: dict[str, float]) -> None:
    finding = found("rest.half", half)
    assert finding.field == next(iter(half)) and mended(finding, half) == [set(), set()]
    assert "rest.half" not in codes({"intervals.pause_every_epochs": 5, "intervals.pause_seconds": 30.0})
