"""What is cut off, in numbers and to look at."""

from __future__ import annotations

import pytest
from PIL import Image

from core.data.cropping import FRAME, framed, lost
from core.data.sizes import Size


@pytest.mark.parametrize(
    ("width", "height", "size", "shares"),
    [
        (1024, 768, Size(512, 512), (0.25, 0.0)),
        (600, 800, Size(512, 512), (0.0, 0.25)),
        (512, 512, Size(64, 64), (0.0, 0.0)),
        (1000, 500, Size(384, 640), (pytest.approx(1 / 6, abs=0.01), 0.0)),
    ],
)
def test_one_direction_loses_what_the_shape_has_no_room_for(
    width: int, height: int, size: Size, shares: tuple[float, float]
) -> None:
    assert lost(width, height, size) == shares


def test_what_is_cut_off_is_dark_and_the_rest_as_it_was() -> None:
    picture = Image.new("RGB", (200, 100), (200, 100, 50))
    shown = framed(picture, Size(64, 64))
    assert shown.size == (200, 100)
    assert shown.getpixel((20, 50)) == (60, 30, 15) == shown.getpixel((180, 50))
    assert shown.getpixel((100, 50)) == (200, 100, 50)
    assert shown.getpixel((50, 50)) == FRAME == shown.getpixel((149, 50))
    assert framed(picture, Size(100, 200)).tobytes() == picture.tobytes()
