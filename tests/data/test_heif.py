"""Pictures from phones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from core.data.pictures import measure, open_rgb
from core.data.scan import scan
from core.texts import UserError
from tests.data.test_pictures import corners, noisy


def heic(path: Path, image: Image.Image, **options: object) -> Path:
    pillow_heif.from_pillow(image).save(path, quality=95, **options)
    return path


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "x.heif", "named.jpg"])
def test_a_picture_of_a_phone_is_read_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = heic(tmp_path / name, Image.new("RGB", (60, 40), (200, 30, 30)))
    assert measure(path, decode=False) == measure(path, decode=True) == (60, 40, ())
    red, green, blue = open_rgb(path).getpixel((30, 20))  # type: ignore[misc]
    assert abs(red - 200) < 12 and green < 45 and blue < 45
    (found,) = scan(tmp_path, decode=True).pictures
    assert (found.width, found.height) == (60, 40)


def test_it_is_turned_upright_once(tmp_path: Path) -> None:
    picture = Image.new("RGB", (64, 32), "black")
    picture.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned to the right by a quarter
    path = tmp_path / "x.heic"
    pillow_heif.register_heif_opener()
    picture.save(path, format="HEIF", exif=exif.tobytes(), quality=95)
    assert measure(path, decode=False)[:2] == measure(path, decode=True)[:2] == (32, 64)
    assert corners(open_rgb(path)) == [False, True, False, False]


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    path = heic(tmp_path / "x.heic", Image.new("RGBA", (32, 32), (255, 0, 0, 0)))
    assert min(open_rgb(path).getpixel((16, 16))) > 240  # type: ignore[type-var, arg-type]


def test_one_cut_short_is_named(tmp_path: Path) -> None:
    path = heic(tmp_path / "x.heic", noisy(200, 100))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError) as caught:
        measure(path, decode=True)
    assert caught.value.code == "picture.cut-short" and "x.heic" in str(caught.value)


def test_without_the_library_the_picture_is_named_and_how_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = heic(tmp_path / "x.heic", Image.new("RGB", (32, 32)))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError) as caught:
        measure(path, decode=False)
    assert caught.value.code == "picture.heif" and "pip install pillow-heif" in str(caught.value)


def test_the_library_is_loaded_only_when_such_a_picture_is_met(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "x.png")
    code = ("import sys; from pathlib import Path; from core.data.scan import scan; "
            f"scan(Path({str(tmp_path)!r}), decode=True); sys.exit('pillow_heif' in sys.modules)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
