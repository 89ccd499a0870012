from __future__ import annotations

from types import SimpleNamespace

import pytest

from core.bench.costs import is_product, ranked


def entry(key: str, cpu: float, device: float, count: int = 1, kind: str = "CPU") -> SimpleNamespace:
    return SimpleNamespace(key=key, self_cpu_time_total=cpu, self_device_time_total=device, count=count,
                           device_type=SimpleNamespace(name=kind))  # fmt: skip


ENTRIES = (
    entry("aten::addmm", 10, 6000, 2),
    entry("aten::convolution_backward", 10, 2000),
    entry("aten::native_group_norm", 900, 1500, 3),
    entry("aten::mul", 100, 500),
    entry("void at::native::vectorized_elementwise_kernel", 0, 500, kind="CUDA"),
)


def test_products_are_one_line_and_the_rest_is_ranked_by_time_on_the_device() -> None:
    found = ranked(ENTRIES, on_gpu=True)
    assert [(cost.name, cost.milliseconds, cost.count) for cost in found] == [
        ("matrix products", 8.0, 3), ("native_group_norm", 1.5, 3), ("mul", 0.5, 1),
    ]  # fmt: skip
    assert sum(cost.share for cost in found) == pytest.approx(1)


def test_on_a_processor_its_own_time_counts() -> None:
    assert [cost.name for cost in ranked(ENTRIES, on_gpu=False)] == ["native_group_norm", "mul", "matrix products"]


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("aten::bmm", True), ("aten::mkldnn_convolution", True), ("aten::_scaled_dot_product_flash_attention", True),
        ("xformers_flash::flash_attention_forward", True), ("aten::native_layer_norm", False), ("aten::copy_", False),
        ("triton_poi_fused_silu_3", False), ("aten::_foreach_norm", False),
        ("aten::_fused_adamw_", False), ("aten::clamp_min", False),
        ("aten::upsample_bilinear2d", False), ("aten::linear", True),
    ],
)  # fmt: skip
def test_what_is_a_product(name: str, product: bool) -> None:
    assert is_product(name) is product
