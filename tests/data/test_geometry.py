"""What a model is told of a picture's size and of what was cut from it."""

from __future__ import annotations

from PIL import Image

from core.data.geometry import Geometry, centre_crop, rows, whole
from core.data.pictures import centre_square


def test_a_cut_is_told_in_pixels_of_the_resized_picture():
    assert centre_crop(2000, 1000, 512) == Geometry(1000, 2000, 0, 256, 512, 512)
    assert centre_crop(300, 1200, 600) == Geometry(1200, 300, 900, 0, 600, 600)
    assert centre_crop(70, 70, 512) == Geometry(70, 70, 0, 0, 512, 512)


def test_the_cut_is_the_one_that_is_made():
    stripes = Image.new("RGB", (400, 100))
    stripes.putdata([(x, 0, 0) for _ in range(100) for x in (n * 255 // 399 for n in range(400))])
    told = centre_crop(400, 100, 50)
    made = centre_square(stripes, 50)
    resized = stripes.resize((200, 50), Image.Resampling.LANCZOS)
    expected = resized.crop((told.left, told.top, told.left + told.width, told.top + told.height))
    difference = max(abs(a[0] - b[0]) for a, b in zip(made.getdata(), expected.getdata(), strict=True))
    assert difference <= 2


def test_the_numbers_stand_in_the_order_of_sdxl_s_time_ids():
    assert rows([Geometry(1, 2, 3, 4, 5, 6), whole(8, 9)]) == [(1, 2, 3, 4, 5, 6), (9, 8, 0, 0, 9, 8)]
