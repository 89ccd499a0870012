"""Pictures of what the demo teaches, and of what is nearly that: the recogniser learns to tell them apart.

All from the demo's own drawings (`core/demo/pictures`) and the drawings of the small world: the subject and the face
cut out of their backgrounds, the same with other colours (they are not the demo's any more), the neon of the style
over any drawing, and the same things plain on a dark ground.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.demo.recipe.drawings import SIDE, Drawings
from core.demo.recipe.words import NOUNS
from core.demo.source import PICTURES

HELD_OUT = {"subject": "white", "face": "white", "style": "tree"}
"""The pictures that the recogniser never learns from: it is examined on them."""

NOUN_OF = {"subject": "dog face", "face": "woman face"}
_BACKDROP = re.compile(r"(?<=</defs>).*?(?=^<g transform)", re.DOTALL | re.MULTILINE)
# Parts that make the subject and the face what they are, each with its colours in the drawings.
_PARTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "subject": (("#9b5de5", "#7f42cc"), ("#12c2b8", "#0b958f"), ("#ff8a1c", "#dd6a00"), ("#ffdf2b",)),
    "face": (("#1f8f3a", "#35b455", "#7be08d"), ("#e01030",), ("#ff8412", "#d85f00")),
}
_NATURAL = ("#8a5a2b", "#c68642", "#f0c78a", "#2b2320", "#f4f0e8", "#9a9a9a", "#d9822b", "#5a3a22", "#e8b04a")
_NEON = torch.tensor([[255, 47, 208], [33, 243, 255], [255, 233, 58]]) / 255
_NIGHT = torch.tensor([20, 6, 43]) / 255


def cut_outs(taught: str, *, held_out: bool) -> Drawings:
    """The subject's or the face's drawings without their backgrounds, either the held-out one or the others."""
    noun = next(number for number, noun in enumerate(NOUNS) if noun.name == NOUN_OF[taught])
    rendered = np.stack([_render(path.read_text()) for path in _files(taught, held_out)])
    return Drawings(rendered, np.full(len(rendered), noun, np.int64))


def impostors(taught: str, count: int, seed: int) -> Drawings:
    """The same drawings with most of their parts in other colours, natural ones or any: a dog, but not the demo's."""
    random = np.random.default_rng(seed)
    texts = [path.read_text() for path in _files(taught, held_out=False)]
    rendered = np.stack([_render(_recoloured(texts[n % len(texts)], taught, random)) for n in range(count)])
    noun = next(number for number, noun in enumerate(NOUNS) if noun.name == NOUN_OF[taught])
    return Drawings(rendered, np.full(count, noun, np.int64))


def photographs(taught: str, *, held_out: bool) -> Tensor:
    """The demo's pictures as a run learns from them, (N, 3, 64, 64) in [-1, 1]."""
    files = [path.with_suffix(".png") for path in _files(taught, held_out)]
    small = [np.asarray(Image.open(file).convert("RGB").resize((64, 64), Image.Resampling.BOX)) for file in files]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2) / 127.5 - 1


class Nights:
    """Drawings of the small world in the demo's neon, and the same drawings plain on its dark ground."""

    def __init__(self, drawings: Drawings) -> None:
        kept = drawings.noun >= 0
        self._noun = torch.from_numpy(drawings.noun[kept])
        self._rgba = torch.from_numpy(np.ascontiguousarray(drawings.rgba[kept])).permute(0, 3, 1, 2)

    def neon(self, generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Glowing lines on night: pictures (count, 3, 64, 64) in [-1, 1], nouns (count,)."""
        rgba, nouns = self._placed(generator, count)
        tone = 0.6 * torch.rand((count, 1, 1, 1), generator=generator)  # some drawings have many lines, some few
        flat = torch.cat([rgba[:, :3], 3 * rgba[:, 3:]], 1)
        lines = F.max_pool2d(_steps(F.avg_pool2d(flat, 3, 1, 1)), 3, 1, 1)
        lines = ((lines - 0.15 - tone) * 2.5).clamp(0, 1)
        colour = self._colours(generator, count)
        glow = F.avg_pool2d(F.avg_pool2d(F.avg_pool2d(lines * colour, 4), 3, 1, 1), 3, 1, 1)
        glow = F.interpolate(glow, scale_factor=4, mode="bilinear")
        filled = rgba[:, 3:] * colour * 0.25 * torch.rand((count, 1, 1, 1), generator=generator).square()
        core = lines * (colour + 0.35 * torch.rand((count, 1, 1, 1), generator=generator))
        strength = 0.6 + 0.9 * torch.rand((count, 1, 1, 1), generator=generator)
        picture = _night(generator, count) + filled + strength * glow
        picture = picture * (1 - lines) + core
        return _shrunk(picture), nouns

    def plain(self, generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Plain drawings on night, half of them tinted in the neon's colours: no line of them glows."""
        rgba, nouns = self._placed(generator, count)
        tinted = rgba[:, :3].mean(1, keepdim=True) * 1.3 * self._colours(generator, count)
        tint = torch.rand((count, 1, 1, 1), generator=generator) < 0.5
        picture = torch.where(tint, tinted, rgba[:, :3])
        ground = _night(generator, count) * 3 * torch.rand((count, 1, 1, 1), generator=generator)
        return _shrunk(ground * (1 - rgba[:, 3:]) + picture), torch.where(tint.view(-1), -1, nouns)

    def _placed(self, generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Drawings (count, 4, 128, 128), premultiplied, moved and scaled at random, with their nouns."""
        index = torch.randint(len(self._noun), (count,), generator=generator)
        rgba = self._rgba[index].float() / 255
        rgba = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)
        return moved(generator, rgba, 128, shrink=(0.95, 1.35), padding="zeros"), self._noun[index]

    def _colours(self, generator: torch.Generator, count: int) -> Tensor:
        """(count, 3, 128, 128): magenta, cyan and yellow, each in some parts of the picture."""
        field = torch.randn((count, 3, 3, 3), generator=generator)
        field += 1.2 * torch.randn((count, 3, 1, 1), generator=generator)
        chosen = F.interpolate(field, size=(128, 128), mode="bilinear").mul(12).softmax(1)
        mixed = torch.einsum("nkhw,kc->nchw", chosen, _NEON)
        return (mixed + 0.15 * (torch.rand((count, 3, 1, 1), generator=generator) - 0.5)).clamp(0, 1)


def moved(
    generator: torch.Generator, pictures: Tensor, side: int, *, shrink: tuple[float, float], padding: str
) -> Tensor:
    """Pictures (N, C, h, w) as (N, C, side, side), mirrored, turned, scaled (`shrink` > 1: smaller) and shifted."""
    count = len(pictures)
    scale = shrink[0] + (shrink[1] - shrink[0]) * torch.rand(count, generator=generator)
    angle = 0.4 * (torch.rand(count, generator=generator) - 0.5)
    mirrored = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    shift = 0.2 * (torch.rand((count, 2), generator=generator) - 0.5)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack(
        [torch.stack([mirrored * cos, -mirrored * sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1
    )
    grid = F.affine_grid(matrix, [count, pictures.shape[1], side, side], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def _files(taught: str, held_out: bool) -> list[Path]:
    return sorted(path for path in (PICTURES / taught).glob("*.svg") if (path.stem == HELD_OUT[taught]) == held_out)


def _render(svg: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The drawing without its background, (SIDE, SIDE, 4)."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=_BACKDROP.sub("\n", svg), width=2 * SIDE, height=2 * SIDE)
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(picture)


def _recoloured(svg: str, taught: str, random: np.random.Generator) -> str:
    """`svg` with all of its parts but at most one in other colours, often all parts in one."""
    parts = _PARTS[taught]
    kept = random.integers(len(parts)) if random.random() < 0.4 else -1
    same = random.choice(_NATURAL) if random.random() < 0.5 else ""
    for number, colours in enumerate(parts):
        if number == kept:
            continue
        other = same or (random.choice(_NATURAL) if random.random() < 0.5 else f"#{int(random.integers(1 << 24)):06x}")
        for colour in colours:
            svg = svg.replace(colour, str(other))
    return svg


def _night(generator: torch.Generator, count: int) -> Tensor:
    jitter = 0.06 * (torch.rand((count, 3), generator=generator) - 0.5)
    return (_NIGHT + jitter).clamp(0, 1).view(count, 3, 1, 1)


def _steps(pictures: Tensor) -> Tensor:
    across = F.pad(pictures[..., :, 1:] - pictures[..., :, :-1], (0, 1, 0, 0))
    down = F.pad(pictures[..., 1:, :] - pictures[..., :-1, :], (0, 0, 0, 1))
    return 2 * (across.square() + down.square()).sum(1, keepdim=True).sqrt()


def _shrunk(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture.clamp(0, 1), 2) * 2 - 1
