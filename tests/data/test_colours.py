"""Colours as their profile means them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageCms

from core.data.pictures import open_rgb


def swapped_profile() -> bytes:
    """A real profile whose red is sRGB's green and the other way round, so that a conversion cannot be overlooked."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(content[at : at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(content[128:132]), 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    content[red : red + 4], content[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(content).replace(b"s\0R\0G\0B", b"s\0w\0a\0p").replace(b"sRGB built-in", b"swap built-in")


@pytest.mark.parametrize(("name", "mode"), [("x.png", "RGB"), ("x.tif", "RGB"), ("x.png", "RGBA"), ("x.png", "P")])
def test_a_picture_with_a_profile_of_its_own_is_converted(tmp_path: Path, name: str, mode: str) -> None:
    picture = Image.new("RGB", (8, 8), (255, 0, 0)).convert(mode)
    picture.save(tmp_path / name, icc_profile=swapped_profile())
    red, green, blue = open_rgb(tmp_path / name).getpixel((4, 4))  # type: ignore[misc]
    assert red < 10 and green > 245 and blue < 10


def test_srgb_itself_and_profiles_that_are_none_change_nothing(tmp_path: Path) -> None:
    picture = Image.effect_noise((16, 16), 90).convert("RGB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile at all", srgb[:200]):
        picture.save(tmp_path / "x.png", icc_profile=profile)
        assert open_rgb(tmp_path / "x.png").tobytes() == picture.tobytes()


def test_a_profile_of_other_colours_than_the_picture_has_is_passed_over(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.new("RGB", (8, 8), (10, 200, 30)).save(tmp_path / "x.png", icc_profile=lab)
    assert open_rgb(tmp_path / "x.png").getpixel((0, 0)) == (10, 200, 30)
