"""The demo's own pictures, from their SVG sources to the PNGs that a run learns from.

Drawn for this project and under its licence, Apache-2.0; the embedded model has never seen them. The recogniser's
training cuts the subject and the face out: their backdrop stands between `</defs>` and the one group with a transform.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from core.demo.source import PICTURES

SIDE = 128


def render_pictures(root: Path = PICTURES) -> list[Path]:
    """Render each `FOLDER/NAME.svg` in `root` to `NAME.png` beside it; the PNGs, in order of their paths."""
    written = []
    for source in sorted(root.glob("*/*.svg")):
        target = source.with_suffix(".png")
        render(source).save(target, optimize=True)
        written.append(target)
    return written


def render(source: Path) -> Image.Image:
    """One SVG as RGB, SIDE × SIDE pixels. Raises `ValueError` where it is no SVG."""
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=source.read_text(), width=SIDE, height=SIDE))
    return Image.open(io.BytesIO(png)).convert("RGB")
