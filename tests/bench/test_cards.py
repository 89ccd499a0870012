from __future__ import annotations

import pytest

from core.bench.cards import CARDS, peak_of


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989.4e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA A100 80GB PCIe", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA GeForce RTX 4090", 165.2e12),
        ("Tesla T4", 65e12),
    ],
)
def test_a_card_is_known_by_the_name_that_its_driver_gives(name: str, peak: float) -> None:
    assert peak_of(name, "bf16") == peak


@pytest.mark.parametrize("name", ["NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA L400", "CPU", "NVIDIA GH200 480GB"])
def test_a_card_that_is_only_called_alike_is_not_known(name: str) -> None:
    assert peak_of(name, "bf16") is None


def test_there_is_no_peak_for_arithmetic_in_32_bits() -> None:
    assert peak_of("NVIDIA H100 80GB HBM3", "no") is None


def test_every_figure_has_its_source() -> None:
    assert all(card.source for card in CARDS)
