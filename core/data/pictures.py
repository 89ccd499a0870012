"""Picture files → RGB pixels, with nothing guessed and nothing hidden.

Pillow decides by content, never by suffix, and only among `FORMATS`: a file of another kind is refused before any
decoder sees it (an EPS named .jpg would start Ghostscript). Every failure is a `UserError` that names the file and
why, because a damaged picture is something a person can mend.
"""

from __future__ import annotations

import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

# Imported for their registration: Pillow loads a plugin by the file's suffix otherwise, or all of them.
from PIL import (
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    ExifTags,
    GifImagePlugin,  # noqa: F401
    Image,
    ImageOps,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from core.data.alike import Likeness, likeness
from core.data.colours import in_srgb
from core.data.geometry import centre_box, covering
from core.data.heif import is_heif, open_heif
from core.data.sizes import Size
from core.reasons import of_system
from core.texts import Message, Texts, UserError, in_force, message, path_in_words, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
MOST_PIXELS = 64_000_000
"""Decoded, this is 190 MB. Pillow itself only warns, at 89 million."""

SIXTEEN_BITS = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
WITHOUT_WHITE = frozenset({"I", "F"})
"""32-bit modes: what value is white differs from file to file."""
DIRECT_MODES = frozenset({"1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"})
WITH_ALPHA = frozenset({"LA", "PA", "RGBA", "La", "RGBa"})
SIDEWAYS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""

FOREIGN_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftypavi", "an AVIF picture whose beginning is damaged"),
    (4, b"ftyp", "a film"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"%PDF", "a PDF"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"version https://git-lfs", "a Git LFS pointer (the picture itself was not downloaded)"),
)

# Our own cap is lower and is an error with the file's name; Pillow's warning would only add a line to the log.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def measure(path: Path, *, decode: bool) -> tuple[int, int, tuple[Message, ...]]:
    """(width, height, notes) of a picture as it will be trained: after EXIF rotation.

    Only the header is read, unless `decode` is set: then all of it is, which alone finds a picture cut short.
    """
    if decode:
        width, height, notes, _ = decoded(path)
        return width, height, notes
    with _opened(path) as image:
        return (*_upright_size(image), _notes(image, path))


def decoded(path: Path) -> tuple[int, int, tuple[Message, ...], Likeness]:
    """The same of the whole picture, and what it is like."""
    with _opened(path) as image:
        notes, whole = _notes(image, path), _to_rgb(image)
        return whole.width, whole.height, notes, likeness(whole)


def open_rgb(path: Path) -> Image.Image:
    """The whole picture: first frame, turned upright once, transparent parts on white, 16 bits scaled to 8, in RGB as
    sRGB means it.
    """
    with _opened(path) as image:
        return _to_rgb(image)


def open_mask(picture: Path, mask: Path | None) -> Image.Image | None:
    """How much each pixel of a picture counts, from 0 (black) to 255, in "L": the file `mask`, else the picture's own
    alpha, else `None`.

    Raises `UserError` for a mask that is not as large as its picture.
    """
    if mask is None:
        with _opened(picture) as image:
            return _alpha(image)
    with _opened(picture) as image:
        wanted = _upright_size(image)
    weights = open_rgb(mask).convert("L")
    if weights.size != wanted:
        raise UserError(
            "picture.mask-size", "The mask {path} is {own} px large, its picture {picture} px.",
            mend="Save it at the picture's size, or take it away.", path=path_in_words(mask),
            own=f"{weights.width} × {weights.height}", picture=f"{wanted[0]} × {wanted[1]}",
        )  # fmt: skip
    return weights


def centre_square(image: Image.Image, side: int) -> Image.Image:
    """The largest square in the middle, resized to `side` × `side` px with Lanczos."""
    return centre_cut(image, Size(side, side))


def centre_cut(image: Image.Image, size: Size, resampling: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """The largest part in the middle with the shape of `size`, resized to it."""
    return image.crop(centre_box(image.width, image.height, size)).resize((size.width, size.height), resampling)


def cover(image: Image.Image, size: Size, resampling: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """The whole picture resized until it just covers `size`."""
    return image.resize(covering(image.width, image.height, size), resampling)


def cut_at(covered: Image.Image, size: Size, place: float) -> Image.Image:
    """`size` cut out of what `cover` made, at `place`: from 0, the beginning of what is longer than needed, to 1, its
    end.
    """
    left, top = round(place * (covered.width - size.width)), round(place * (covered.height - size.height))
    return covered.crop((left, top, left + size.width, top + size.height))


def to_array(image: Image.Image) -> NDArray[np.float32]:
    """An RGB picture as (3, H, W) float32 in [-1, 1]."""
    import numpy as np

    pixels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1)
    return np.ascontiguousarray(pixels) / np.float32(127.5) - np.float32(1)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture with only its header read, checked. Whatever goes wrong inside is said with the file's name."""
    try:
        # Not blocking, so that a named pipe among the pictures cannot hold everything up.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_file(descriptor, path)
            with open(descriptor, "rb", closefd=False) as file, _image(file, path) as image:
                _check_header(image, path)
                yield image
        finally:
            os.close(descriptor)
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, _pixels(error)) from error
    except OSError as error:
        if error.errno is not None:
            raise _refusal(
                "picture.unreadable", "{path} cannot be read: {reason}.", path,
                mend="Check its permissions and the disk.", reason=of_system(error),
            ) from error  # fmt: skip
        raise _damaged(path, error) from error
    except Exception as error:  # decoders raise anything at all for damaged bytes
        raise _damaged(path, error) from error


def _check_file(descriptor: int, path: Path) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _refusal("picture.not-a-file", "{path} is not a regular file.", path, mend="Leave it out.")
    if status.st_size == 0:
        raise _refusal("picture.empty", "{path} is empty (0 bytes).", path, mend="Copy it again or leave it out.")


def _image(file: BufferedReader, path: Path) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        if is_heif(os.pread(file.fileno(), 12, 0)):
            file.seek(0)
            return open_heif(file, os.fspath(path))
        raise _foreign(file.fileno(), path) from error


def _check_header(image: Image.Image, path: Path) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise _too_large(path, f"{width:,} × {height:,} px")
    if image.mode in WITHOUT_WHITE:
        raise _refusal(
            "picture.depth", "{path} has 32 bits a colour, and what is white in it is not defined.", path,
            mend="Save it as a PNG with 8 or 16 bits.",
        )  # fmt: skip
    if image.mode not in SIXTEEN_BITS | DIRECT_MODES | WITH_ALPHA:
        raise _refusal(
            "picture.mode", "{path} has colours of the kind {mode}, which are not read.", path, mend="Save it in RGB.",
            mode=image.mode,
        )  # fmt: skip


def _upright_size(image: Image.Image) -> tuple[int, int]:
    # A TIFF's size is already turned when it is opened. A PNG may carry its EXIF after the pixels, and asking for
    # it would decode them: what stands before is looked at.
    if image.format == "TIFF":
        return image.size
    exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
    width, height = image.size
    return (height, width) if exif.get(ExifTags.Base.Orientation) in SIDEWAYS else (width, height)


def _alpha(image: Image.Image) -> Image.Image | None:
    """How opaque each pixel is, where any is not wholly so."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in SIXTEEN_BITS:
        upright = _eight_bits(upright)
    if upright.mode not in WITH_ALPHA and "transparency" not in upright.info:
        return None
    alpha = upright.convert("RGBA").getchannel("A")
    return alpha if alpha.getextrema()[0] != 255 else None


def _to_rgb(image: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in SIXTEEN_BITS:
        upright = _eight_bits(upright)
    if upright.mode in WITH_ALPHA or "transparency" in upright.info:
        coloured = in_srgb(upright.convert("RGBA"))
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return in_srgb(upright if upright.mode == "CMYK" else upright.convert("RGB")).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit grey picture scaled to 8 bits; Pillow's own conversion clips all that is brighter than 255 / 65535."""
    import numpy as np

    values = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray(np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)))
    return grey


def _notes(image: Image.Image, path: Path) -> tuple[Message, ...]:
    # A JPEG with several pictures in it (MPO) holds a preview or the other eye's view, not a film.
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format in ("JPEG", "MPO"):
        return ()
    return (
        message(
            "picture.frames", "{path} holds {frames} pictures; only the first is used.",
            mend="Save the others as files of their own if you want them.", path=path_in_words(path), frames=frames,
        ),
    )  # fmt: skip


def _foreign(descriptor: int, path: Path) -> UserError:
    beginning = os.pread(descriptor, 64, 0)
    for place, mark, name in FOREIGN_BEGINNINGS:
        if beginning[place:].startswith(mark):
            return UserError(
                "picture.format", "{path} is {name}.", mend="Save it as {formats}, or leave it out.",
                path=path_in_words(path),
                name=in_force(f"foreign.{name}", name), formats=formats_in_words(),
            )  # fmt: skip
    return UserError(
        "picture.format",
        "{path} is not a picture in a format that is read here, or its beginning is damaged.",
        mend="Save it as {formats}, or leave it out.", path=path_in_words(path), formats=formats_in_words(),
    )  # fmt: skip


def formats_in_words() -> str:
    """What is read here."""
    return say("picture.formats", "JPEG, PNG, WebP, HEIC, AVIF, BMP, GIF or TIFF")


def _pixels(error: Exception) -> str:
    """How many pixels Pillow found, which refuses in a sentence of its own."""
    found = re.search(r"\((\d+) pixels\)", str(error))
    return f"{int(found[1]):,} px" if found else str(error)


def _too_large(path: Path, size: str) -> UserError:
    return UserError(
        "picture.too-large", "{path} is too large ({size}); at most {most} megapixels are read.",
        mend="Save it smaller; training uses far fewer pixels.",
        path=path_in_words(path), size=size, most=MOST_PIXELS // 1_000_000,
    )  # fmt: skip


_DECODERS = Texts(
    "decoder",
    {
        "truncated": "image file is truncated",
        "early": "Truncated File Read",
        "broken": "broken data stream when reading image file",
        "unrecognized": "unrecognized data stream contents when reading image file",
        "chunk": "broken PNG file",
        "none": "could not create decoder object",
    },
)
"""How Pillow's words for what is wrong with a file begin."""


def _damaged(path: Path, error: Exception) -> UserError:
    said = str(error) or type(error).__name__
    reason = next((_DECODERS[key] for key, words in _DECODERS.english.items() if said.startswith(words)), said)
    if any(words in said.lower() for words in ("truncated", "end of file", "eof")):
        return _refusal("picture.cut-short", "{path} is cut short ({reason}).", path,
                        mend="Copy it again or leave it out.", reason=reason)  # fmt: skip
    return _refusal("picture.damaged", "{path} is damaged ({reason}).", path, mend="Copy it again or leave it out.",
                    reason=reason)  # fmt: skip


def _refusal(code: str, english: str, path: Path, *, mend: str, **values: object) -> UserError:
    return UserError(code, english, mend=mend, path=path_in_words(path), **values)
