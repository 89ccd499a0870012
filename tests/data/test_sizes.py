from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.sizes import Size, bucket_sizes, grid, nearest, size_of, square

RESOLUTIONS = st.sampled_from([(512, 64), (768, 64), (1024, 64), (64, 16), (256, 16), (512, 512)])


@given(RESOLUTIONS)
def test_buckets_lie_on_the_grid_and_hold_about_as_many_pixels_as_the_square(given: tuple[int, int]) -> None:
    resolution, step = given
    for size in bucket_sizes(resolution, step):
        assert size.height % step == size.width % step == 0
        assert size.pixels <= resolution**2
        assert size.pixels + max(size.height, size.width) * step > resolution**2


@given(RESOLUTIONS)
def test_the_square_is_a_bucket_and_every_bucket_has_its_like_turned(given: tuple[int, int]) -> None:
    sizes = bucket_sizes(*given)
    assert square(given[0]) in sizes
    assert {Size(size.width, size.height) for size in sizes} == set(sizes)


def test_the_buckets_of_1024_px_are_those_that_sdxl_was_trained_on() -> None:
    published = {(1024, 1024), (1152, 896), (896, 1152), (1216, 832), (832, 1216), (1344, 768), (1536, 640)}
    assert {Size(*size) for size in published} <= set(bucket_sizes(1024, 64))


@given(RESOLUTIONS, st.integers(20, 9000), st.integers(20, 9000))
def test_the_nearest_bucket_loses_the_least(given: tuple[int, int], width: int, height: int) -> None:
    sizes = bucket_sizes(*given)
    chosen = nearest(sizes, width, height)

    def kept(size: Size) -> float:
        return min(width / height / (size.width / size.height), size.width / size.height / (width / height))

    assert kept(chosen) == pytest.approx(max(map(kept, sizes)))


def test_without_buckets_every_picture_is_a_square() -> None:
    assert size_of(4000, 1000, 512, grid(8), buckets=False) == Size(512, 512)
    assert size_of(4000, 3000, 512, grid(8), buckets=True) == Size(448, 576)
