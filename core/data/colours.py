"""Colours as they are meant: a picture whose profile is not sRGB is converted to it."""

from __future__ import annotations

import io

from PIL import Image

COLOURED = ("RGB", "RGBA", "CMYK")


def in_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB, which is what models are made from. Without a profile it is taken for sRGB; a profile that
    cannot be used, and those of grey pictures, are passed over.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in COLOURED:
        return image
    from PIL import ImageCms

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(own) or "").lower():
            return image
        converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"),
                                              outputMode="RGBA" if image.mode == "RGBA" else "RGB")  # fmt: skip
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else converted
