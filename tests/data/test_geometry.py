"""What a model is told of a picture's size and of what was cut from it."""

from __future__ import annotations

from PIL import Image

from core.data.geometry import Geometry, centre_crop, random_crop, rows, whole
from core.data.pictures import centre_cut, centre_square, cover, cut_at
from core.data.sizes import Size, square


def test_a_cut_is_told_in_pixels_of_the_resized_picture():
    assert centre_crop(2000, 1000, square(512)) == Geometry(1000, 2000, 0, 256, 512, 512)
    assert centre_crop(300, 1200, square(600)) == Geometry(1200, 300, 900, 0, 600, 600)
    assert centre_crop(70, 70, square(512)) == Geometry(70, 70, 0, 0, 512, 512)


def test_the_cut_is_the_one_that_is_made():
    stripes = Image.new("RGB", (400, 100))
    stripes.putdata([(x, 0, 0) for _ in range(100) for x in (n * 255 // 399 for n in range(400))])
    told = centre_crop(400, 100, square(50))
    made = centre_square(stripes, 50)
    resized = stripes.resize((200, 50), Image.Resampling.LANCZOS)
    expected = resized.crop((told.left, told.top, told.left + told.width, told.top + told.height))
    difference = max(abs(a[0] - b[0]) for a, b in zip(made.getdata(), expected.getdata(), strict=True))
    assert difference <= 2


def test_the_numbers_stand_in_the_order_of_sdxl_s_time_ids():
    assert rows([Geometry(1, 2, 3, 4, 5, 6), whole(8, 9)]) == [(1, 2, 3, 4, 5, 6), (9, 8, 0, 0, 9, 8)]


def gradient(width: int, height: int) -> Image.Image:
    """Red says how far right a pixel is, green how far down, in 256ths."""
    image = Image.new("RGB", (width, height))
    image.putdata([(x * 256 // width, y * 256 // height, 0) for y in range(height) for x in range(width)])
    return image


def told_and_made(told: Geometry, made: Image.Image, resized: tuple[int, int], mirrored: bool) -> None:
    whole_picture = gradient(*resized)
    if mirrored:
        whole_picture, made = (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in (whole_picture, made))
    expected = whole_picture.crop((told.left, told.top, told.left + told.width, told.top + told.height))
    for place in ((0, 0), (told.width - 1, told.height - 1)):
        assert all(abs(a - b) <= 6 for a, b in zip(made.getpixel(place), expected.getpixel(place), strict=True))


def test_a_cut_to_a_bucket_and_its_mirror_are_told_as_they_are_made():
    size = Size(80, 96)
    for mirrored in (False, True):
        told = centre_crop(301, 200, size, mirrored=mirrored)
        assert (told.original_height, told.original_width) == (200, 301)
        told_and_made(told, centre_cut(gradient(301, 200), size), (120, 80), mirrored)


def test_a_random_cut_and_its_mirror_are_told_as_they_are_made():
    size = Size(80, 96)
    for place in (0.0, 0.2, 1.0):
        for mirrored in (False, True):
            told = random_crop(400, 200, size, place, mirrored=mirrored)
            assert 0 <= told.left <= 160 - 96 and told.top == 0
            told_and_made(told, cut_at(cover(gradient(400, 200), size), size, place), (160, 80), mirrored)
    assert random_crop(400, 200, size, 0.0, mirrored=True).left == 160 - 96


def test_a_mirrored_cut_counts_its_left_from_the_other_side():
    size = square(100)
    left, right = (centre_crop(301, 100, size, mirrored=mirrored).left for mirrored in (False, True))
    assert (left, right) == (100, 101)
