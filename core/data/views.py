"""How a picture is seen: cut to one size, from its middle or at a place that was drawn, mirrored or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from core.data.dataset import Item
from core.data.geometry import Geometry, centre_crop, random_crop
from core.data.pictures import centre_cut, cover, cut_at, open_mask, open_rgb
from core.data.sizes import Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """One way of seeing a picture. `place` is where it is cut (see `pictures.cut_at`); `None`: in the middle."""

    item: Item
    size: Size
    mirrored: bool = False
    place: float | None = None

    @property
    def geometry(self) -> Geometry:
        """What SDXL is told of it."""
        width, height = self.item.width, self.item.height
        if self.place is None:
            return centre_crop(width, height, self.size, mirrored=self.mirrored)
        return random_crop(width, height, self.size, self.place, mirrored=self.mirrored)


def picture_of(view: View) -> Image.Image:
    """The training picture, in RGB. Raises `UserError` where the file cannot be read."""
    return finished(scaled(view), view)


def scaled(view: View) -> Image.Image:
    """The picture at its training scale: all that a place may be cut from, or the cut in its middle."""
    image = open_rgb(view.item.path)
    return centre_cut(image, view.size) if view.place is None else cover(image, view.size)


def finished(image: Image.Image, view: View) -> Image.Image:
    """What `scaled` made, cut and mirrored as the view is."""
    if view.place is not None:
        image = cut_at(image, view.size, view.place)
    return ImageOps.mirror(image) if view.mirrored else image


def weights_of(view: View, height: int, width: int) -> NDArray[np.float32] | None:
    """How much each latent of the view counts, (1, height, width) from 0 to 1: its pixels' mask averaged over its
    area; `None` where the picture has no mask.

    Raises `UserError` where the mask cannot be read.
    """
    import numpy as np

    mask = open_mask(view.item.path, view.item.mask_file) if view.item.masked else None
    if mask is None:
        return None
    cut = centre_cut if view.place is None else cover
    image = finished(cut(mask, view.size, Image.Resampling.BOX), view)
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    blocks = pixels.reshape(1, height, view.size.height // height, width, view.size.width // width)
    return np.ascontiguousarray(blocks.mean((2, 4)))
