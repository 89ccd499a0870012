"""HEIC pictures, as phones take them. The library that knows them is imported when the first one is met."""

from __future__ import annotations

from io import BufferedReader

from PIL import Image

from core.texts import UserError, path_in_words

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx")
"""Of the file's first box: HEIF with HEVC inside, or with what its other boxes say."""


def is_heif(beginning: bytes) -> bool:
    """Whether a file begins as HEIF does."""
    return beginning[4:8] == b"ftyp" and beginning[8:12] in BRANDS


def open_heif(file: BufferedReader, path: str) -> Image.Image:
    """The picture with only its boxes read. It is turned upright by the decoder. `UserError` without the library."""
    try:
        import pillow_heif
    except ImportError as error:
        raise UserError(
            "picture.heif", "{path} is a HEIC picture, and the library that reads these cannot be loaded: {reason}.",
            mend="Install it with `pip install pillow-heif`, or save the picture as JPEG.", path=path_in_words(path),
            reason=error,
        ) from error  # fmt: skip
    # What a phone keeps beside the picture (a depth map, a preview) is not looked at.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return Image.open(file, formats=("HEIF",))
