from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data.pictures import MOST_PIXELS, centre_square, measure, open_rgb, to_array
from core.texts import UserError


def noisy(width: int, height: int, channels: int = 3) -> Image.Image:
    """A picture that no compression makes small, the same each time."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values.squeeze())


def refusal(path: Path, *, decode: bool = True) -> UserError:
    with pytest.raises(UserError) as caught:
        measure(path, decode=decode)
    assert path.name in str(caught.value)
    if decode:
        with pytest.raises(UserError):
            open_rgb(path)
    return caught.value


def corners(image: Image.Image) -> list[bool]:
    """Whether each corner (top left, top right, bottom left, bottom right) is bright."""
    right, bottom = image.width - 1, image.height - 1
    places = [(0, 0), (right, 0), (0, bottom), (right, bottom)]
    return [sum(image.convert("RGB").getpixel(place)) > 3 * 128 for place in places]  # type: ignore[arg-type]


def png_of_size(path: Path, width: int, height: int) -> None:
    """A valid header and hardly any pixels: what matters is what is looked at first."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tif", "avif"])
def test_each_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.new("RGB", (40, 30), "white").save(path)
    assert measure(path, decode=False) == measure(path, decode=True) == (40, 30, ())
    assert open_rgb(path).mode == "RGB"
    assert min(open_rgb(path).tobytes()) > 250


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize(("orientation", "bright"), [(1, 0), (3, 3), (6, 1), (8, 2)])
def test_exif_turns_a_picture_once(tmp_path: Path, suffix: str, orientation: int, bright: int) -> None:
    upright = Image.new("RGB", (64, 32))
    upright.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{suffix}"
    upright.save(path, exif=exif)
    image = open_rgb(path)
    assert corners(image) == [place == bright for place in range(4)]
    assert image.size == ((32, 64) if orientation in (6, 8) else (64, 32))
    assert measure(path, decode=False)[:2] == measure(path, decode=True)[:2] == image.size


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    noisy(20, 10).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")
    assert measure(tmp_path / "x.jpg", decode=True)[:2] == (20, 10)


def test_an_eps_named_jpg_starts_no_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy(20, 10).save(tmp_path / "x.eps")
    (tmp_path / "x.eps").rename(tmp_path / "x.jpg")
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: pytest.fail("a program was started"))
    error = refusal(tmp_path / "x.jpg")
    assert error.code == "picture.format"
    assert "PostScript" in str(error)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(13_000, 13_000), (20_000, 20_000), (MOST_PIXELS // 1000 + 1, 1000)])
def test_too_many_pixels_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    png_of_size(tmp_path / "x.png", width, height)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("it was decoded"))
    for decode in (False, True):
        error = refusal(tmp_path / "x.png", decode=decode)
        assert error.code == "picture.too-large"
        assert "64 megapixels" in str(error)


def test_as_many_pixels_as_allowed_are_measured(tmp_path: Path) -> None:
    png_of_size(tmp_path / "x.png", MOST_PIXELS // 1000, 1000)
    assert measure(tmp_path / "x.png", decode=False)[:2] == (MOST_PIXELS // 1000, 1000)


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    for suffix in ("png", "tif"):
        Image.fromarray(values).save(tmp_path / f"x.{suffix}")
        assert np.array_equal(np.asarray(open_rgb(tmp_path / f"x.{suffix}"))[..., 0], np.round(values / 257))


def test_sixteen_bits_with_a_transparent_value_lie_on_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 300, 65535]], dtype=np.uint16)).save(tmp_path / "x.png", transparency=300)
    assert np.asarray(open_rgb(tmp_path / "x.png"))[0, :, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize("mode", ["F", "I"])
def test_thirty_two_bits_are_refused_with_the_reason(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "x.tif")
    assert refusal(tmp_path / "x.tif", decode=False).code == "picture.depth"


def test_kinds_of_colour_that_are_not_read_are_named(tmp_path: Path) -> None:
    Image.new("LAB", (4, 4)).save(tmp_path / "x.tif")
    assert "LAB" in str(refusal(tmp_path / "x.tif", decode=False))


def hidden_red(mode: str) -> Image.Image:
    """Left half red but wholly transparent, right half opaque black."""
    image = Image.new("RGBA", (8, 4), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (4, 0, 8, 4))
    return image if mode == "RGBA" else image.convert(mode)


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", "png"), ("RGBA", "webp"), ("LA", "png"), ("RGBA", "tif")])
def test_transparent_parts_lie_on_white(tmp_path: Path, mode: str, suffix: str) -> None:
    hidden_red(mode).save(tmp_path / f"x.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    row = np.asarray(open_rgb(tmp_path / f"x.{suffix}"))[0]
    assert row[0].tolist() == [255, 255, 255]
    assert row[7].tolist() == [0, 0, 0]


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_palette_entry_lies_on_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / f"x.{suffix}", transparency=0)
    assert np.asarray(open_rgb(tmp_path / f"x.{suffix}"))[0].tolist() == [[255, 255, 255], [0, 0, 255]]


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (255, 0, 0)), ("L", 7)])
def test_a_transparent_colour_lies_on_white(tmp_path: Path, mode: str, colour: int | tuple[int, ...]) -> None:
    Image.new(mode, (2, 1), colour).save(tmp_path / "x.png", transparency=colour)
    assert np.asarray(open_rgb(tmp_path / "x.png")).min() == 255


def test_half_transparent_is_mixed_with_white(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (0, 0, 0, 128)).save(tmp_path / "x.png")
    assert open_rgb(tmp_path / "x.png").getpixel((0, 0)) == (127, 127, 127)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
    red, green, blue = open_rgb(tmp_path / "x.jpg").getpixel((8, 8))  # type: ignore[misc]
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_and_palette_pictures_become_rgb(tmp_path: Path, mode: str) -> None:
    Image.new("L", (4, 4), 255).convert(mode).save(tmp_path / "x.png")
    assert open_rgb(tmp_path / "x.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif", "avif"])
def test_of_an_animation_the_first_frame_is_taken_and_said(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black", "black")]
    path = tmp_path / f"x.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    (note,) = measure(path, decode=False)[2]
    assert note.code == "picture.frames"
    assert note in measure(path, decode=True)[2]
    assert min(open_rgb(path).getpixel((8, 8))) > 250  # type: ignore[type-var, arg-type]


def test_a_jpeg_with_a_preview_in_it_is_no_animation(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    noisy(16, 16).save(path, format="MPO", save_all=True, append_images=[noisy(8, 8)])
    assert measure(path, decode=True) == (16, 16, ())


@pytest.mark.parametrize("suffix", ["jpg", "gif", "tif", "bmp", "png"])
def test_a_picture_cut_short_is_named_with_its_reason(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    noisy(200, 100).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert measure(path, decode=False)[:2] == (200, 100)
    error = refusal(path)
    assert error.code == "picture.cut-short"
    assert "truncated" in str(error)


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "picture.empty", "0 bytes"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "picture.damaged", "damaged"),
        (b"<!DOCTYPE html><html>", "picture.format", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "picture.format", "Git LFS"),
        (b"\xff\xd8", "picture.format", "damaged"),
        (b"no picture at all", "picture.format", "JPEG, PNG"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes, code: str, said: str) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    error = refusal(tmp_path / "x.jpg", decode=False)
    assert error.code == code
    assert said in str(error)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").code == "picture.not-a-file"
    assert refusal(tmp_path).code == "picture.not-a-file"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.jpg").code == "picture.unreadable"


SMALL_FILES = {}
for _suffix in ("jpeg", "png", "webp", "gif", "tiff", "bmp"):
    _buffer = io.BytesIO()
    noisy(12, 9).save(_buffer, format=_suffix)
    SMALL_FILES[_suffix] = _buffer.getvalue()


@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.data())
def test_damage_is_a_user_error_or_a_picture(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(SMALL_FILES[data.draw(st.sampled_from(sorted(SMALL_FILES)))])
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        measure(path, decode=False)
        image = open_rgb(path)
    except UserError as error:
        assert "damaged" in str(error)  # the file's name at least
    else:
        assert image.mode == "RGB"


def test_the_centre_square_is_cut_before_it_is_resized() -> None:
    image = Image.new("RGB", (90, 30), "red")
    image.paste("white", (30, 0, 60, 30))
    for turned in (image, image.transpose(Image.Transpose.ROTATE_90)):
        square = centre_square(turned, 10)
        assert square.size == (10, 10)
        assert min(square.tobytes()) == 255


def test_a_square_of_the_right_size_is_not_changed() -> None:
    assert centre_square(noisy(16, 16), 16).tobytes() == noisy(16, 16).tobytes()


def test_arrays_are_channels_first_between_minus_one_and_one() -> None:
    image = Image.new("RGB", (3, 2), (0, 255, 51))
    array = to_array(image)
    assert array.shape == (3, 2, 3)
    assert array.dtype == np.float32 and array.flags.c_contiguous
    assert array[:, 0, 0].tolist() == pytest.approx([-1, 1, -0.6])
