"""The drawings that the embedded model learned from: three sets of emoji with free licences, fetched from npm.

| set | licence |
| --- | --- |
| Fluent Emoji Flat, Microsoft Corporation | MIT |
| Noto Emoji, Google Inc | Apache-2.0 |
| Twemoji, Twitter and contributors | CC BY 4.0 |
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.demo.recipe.words import NOUNS

# Pinned: the same drawings give the same model.
ICON_SETS = {"fluent-emoji-flat": "1.2.6", "noto": "1.2.9", "twemoji": "1.2.5"}
SIDE = 96
_SKIPPED = re.compile(r"flag|-skin-tone|clock|button|keycap|arrow|symbol|input-|zodiac")


@dataclass(frozen=True)
class Drawings:
    """Cut-out drawings: `rgba` (N, SIDE, SIDE, 4) uint8, `noun` (N,) the index in `NOUNS` or -1 for all else."""

    rgba: np.ndarray[Any, np.dtype[np.uint8]]
    noun: np.ndarray[Any, np.dtype[np.int64]]


def load(cache: Path) -> Drawings:
    """The drawings, from a file in the folder `cache` where they were rendered before.

    Every icon of a noun is there, and of the other icons every second, for the autoencoder alone: it should know
    more than the small world. Raises `subprocess.CalledProcessError` where npm cannot fetch a set.
    """
    kept = cache / "drawings.npz"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        rendered = [pair for name, version in ICON_SETS.items() for pair in _render_set(_fetch(cache, name, version))]
        np.savez_compressed(
            kept, rgba=np.stack([rgba for rgba, _ in rendered]), noun=np.array([noun for _, noun in rendered], np.int64)
        )
    with np.load(kept) as stored:
        return Drawings(stored["rgba"], stored["noun"])


def _fetch(cache: Path, name: str, version: str) -> Mapping[str, Any]:
    archive = cache / f"iconify-json-{name}-{version}.tgz"
    if not archive.is_file():
        subprocess.run(["npm", "pack", f"@iconify-json/{name}@{version}"], cwd=cache, check=True, capture_output=True)
    with tarfile.open(archive) as files:
        member = files.extractfile("package/icons.json")
        if member is None:
            raise FileNotFoundError(f"package/icons.json in {archive}")
        found: Mapping[str, Any] = json.load(member)
        return found


def _render_set(icons: Mapping[str, Any]) -> Iterator[tuple[np.ndarray[Any, np.dtype[np.uint8]], int]]:
    of_noun = {icon: number for number, noun in enumerate(NOUNS) for icon in noun.icons}
    aliases = {name: alias["parent"] for name, alias in icons.get("aliases", {}).items()}
    missing = [noun.name for noun in NOUNS if not any(i in icons["icons"] or i in aliases for i in noun.icons)]
    if missing:
        raise KeyError(f"{icons['prefix']} has no icon for {', '.join(missing)}")
    drawn = set()
    for icon, number in of_noun.items():
        name = aliases.get(icon, icon)
        if name in icons["icons"]:
            drawn.add(name)
            yield _render(icons, name), number
    others = sorted(name for name in icons["icons"] if name not in drawn and not _SKIPPED.search(name))
    for name in others[::2]:
        yield _render(icons, name), -1


def _render(icons: Mapping[str, Any], name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    import resvg_py

    icon = icons["icons"][name]
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    left, top = icon.get("left", 0), icon.get("top", 0)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=2 * SIDE, height=2 * SIDE))
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    box = picture.getbbox()  # the sets leave different margins: all fill their square here
    if box is not None:
        picture = picture.crop(box)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    return np.asarray(square)
