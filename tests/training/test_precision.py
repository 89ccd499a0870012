from __future__ import annotations

import torch

from core.training.precision import LossScale, autocast


def test_an_infinite_gradient_halves_the_scale_and_many_good_updates_double_it() -> None:
    scale = LossScale.for_precision("fp16")
    start = scale.scale
    assert scale.overflowed()
    assert scale.scale == start / 2
    for _ in range(LossScale.PATIENCE):
        scale.went_well()
    assert scale.scale == start


def test_a_scale_of_one_cannot_mend_an_infinite_gradient() -> None:
    assert not LossScale(enabled=True, scale=1.0).overflowed()


def test_bf16_and_fp32_are_never_scaled() -> None:
    for precision in ("bf16", "no"):
        scale = LossScale.for_precision(precision)
        assert not scale.overflowed()
        scale.went_well()
        assert scale.scale == 1.0


def test_autocast_computes_in_the_precision_asked_for() -> None:
    x = torch.randn(4, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("no", torch.float32)):
        with autocast(precision, torch.device("cpu")):
            assert (x @ x).dtype == dtype
