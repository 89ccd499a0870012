"""What of a picture is cut off at its training size, in numbers and to look at."""

from __future__ import annotations

from PIL import Image, ImageDraw

from core.data.geometry import centre_box
from core.data.sizes import Size

DARK = 0.3
"""How bright what is cut off is still shown."""
FRAME = (214, 182, 118)


def lost(width: int, height: int, size: Size) -> tuple[float, float]:
    """The shares of the width and of the height that are cut off; one of them is 0."""
    left, top, right, bottom = centre_box(width, height, size)
    return 1 - (right - left) / width, 1 - (bottom - top) / height


def framed(picture: Image.Image, size: Size) -> Image.Image:
    """An RGB picture with a frame around its middle part of the shape of `size`; the rest is dark."""
    box = centre_box(picture.width, picture.height, size)
    if box == (0, 0, picture.width, picture.height):
        return picture
    shown = picture.point(lambda value: round(value * DARK))
    shown.paste(picture.crop(box), box)
    left, top, right, bottom = box
    line = max(1, max(picture.size) // 200)
    ImageDraw.Draw(shown).rectangle((left, top, right - 1, bottom - 1), outline=FRAME, width=line)
    return shown
