"""Endless pictures with captions out of a few hundred drawings: shifted, scaled, turned, flipped, on backgrounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.demo.recipe.drawings import Drawings
from core.demo.recipe.words import BACKGROUNDS, NOUNS, STYLES, caption

SIDE = 64
_CANVAS = 2 * SIDE  # composed at twice the size and averaged: no jagged edges
_STYLE_SHARES = {"": 0.58, "pixel art": 0.14, "line art": 0.14, "sticker": 0.14}
_NAMED_BACKGROUND = 0.5  # share of pictures whose caption names the background


class Plan(NamedTuple):
    """What is on some scenes (N,): the drawing, its style, the background's colour, whether the caption names it."""

    drawing: Tensor
    style: Tensor
    colour: Tensor
    named: Tensor


class Scenes:
    """Draws training pictures: what is on them from a generator on the host, which needs no waiting for the device,
    and where it stands from the same on the device. The same seeds, the same pictures."""

    def __init__(
        self,
        drawings: Drawings,
        device: torch.device,
        *,
        nouns_only: bool = True,
        seed: int = 0,
        plans_only: bool = False,
    ) -> None:
        kept = drawings.noun >= (0 if nouns_only else -1)
        self.device = device
        self._host = torch.Generator().manual_seed(seed)
        self.noun = torch.from_numpy(drawings.noun[kept])
        if nouns_only:  # each noun equally often, however many drawings it has
            counts = torch.bincount(self.noun, minlength=len(NOUNS)).clamp(min=1)
            self._weights = 1 / counts[self.noun].float()
        else:
            self._weights = torch.ones(len(self.noun))
        self._colours = torch.tensor(list(BACKGROUNDS.values()), device=device) / 255
        if plans_only:
            return
        rgba = torch.from_numpy(np.ascontiguousarray(drawings.rgba[kept])).permute(0, 3, 1, 2).to(device)
        self._plain = rgba
        self._lines = torch.cat([_line_art(part.float() / 255).mul(255).byte() for part in torch.split(rgba, 256)])
        self._stickers = torch.cat([_sticker(part.float() / 255).mul(255).byte() for part in torch.split(rgba, 256)])

    def plan(self, count: int, noun: int | None = None) -> Plan:
        """What is to be on some scenes, without a pixel: cheap, and on the host. `noun` asks for one noun only."""
        weights = self._weights if noun is None else (self.noun == noun).float()
        shares = torch.tensor([_STYLE_SHARES[style] for style in STYLES])
        return Plan(
            drawing=torch.multinomial(weights, count, replacement=True, generator=self._host),
            style=torch.multinomial(shares, count, replacement=True, generator=self._host),
            colour=torch.randint(len(BACKGROUNDS), (count,), generator=self._host),
            named=torch.rand(count, generator=self._host) < _NAMED_BACKGROUND,
        )

    def captions(self, plan: Plan) -> list[str]:
        """The captions of planned scenes."""
        names = list(BACKGROUNDS)
        return [
            caption(NOUNS[n].phrase if n >= 0 else "", STYLES[s], names[b] if named else "")
            for n, s, b, named in zip(
                self.noun[plan.drawing].tolist(),
                plan.style.tolist(),
                plan.colour.tolist(),
                plan.named.tolist(),
                strict=True,
            )
        ]

    def paint(self, generator: torch.Generator, plan: Plan) -> Tensor:
        """Planned scenes as pictures (N, 3, 64, 64) in [-1, 1] on the device; `generator` is the device's."""
        drawing, style, colour, named = (part.to(self.device, non_blocking=True) for part in plan)
        background = self._backgrounds(generator, colour, named)
        return self._compose(generator, self._cut_outs(drawing, style), background, style == STYLES.index("pixel art"))

    def draw(
        self, generator: torch.Generator, count: int, *, noun: int | None = None
    ) -> tuple[Tensor, list[str], Tensor]:
        """Some scenes: pictures (count, 3, 64, 64) in [-1, 1] on the device, their captions, their nouns (count,)."""
        plan = self.plan(count, noun)
        return self.paint(generator, plan), self.captions(plan), self.noun[plan.drawing]

    def draw_unseen_colours(self, generator: torch.Generator, count: int) -> Tensor:
        """Scenes for the autoencoder: any drawing, hues turned and light changed at random, glowing lines on dark.

        What people bring has other colours than the drawings: a purple dog must come back purple. Shape (count, 3,
        64, 64) in [-1, 1].
        """
        pictures, _, _ = self.draw(generator, count)
        pictures = pictures / 2 + 0.5
        turned = turn_hue(pictures, 6.2832 * self._uniform(generator, count, 1, 1, 1))
        light = 0.7 + 0.6 * self._uniform(generator, count, 1, 1, 1)
        saturation = 1.5 * self._uniform(generator, count, 1, 1, 1) + 0.25
        grey = turned.mean(1, keepdim=True)
        changed = ((grey + (turned - grey) * saturation - 0.5) * light + 0.5).clamp(0, 1)
        choice = self._uniform(generator, count, 1, 1, 1)
        colour = self._uniform(generator, count, 3, 1, 1)
        edges = _edges(pictures).clamp(0, 1)
        glow = F.avg_pool2d(F.pad(edges, (2, 2, 2, 2)), 5, 1)
        neon = (0.08 * self._uniform(generator, count, 3, 1, 1) + edges * (colour + 0.3) + 0.6 * glow * colour).clamp(
            0, 1
        )
        mixed = torch.where(choice < 0.4, pictures, torch.where(choice < 0.85, changed, neon))
        return mixed * 2 - 1

    def _uniform(self, generator: torch.Generator, *shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=self.device)

    def _cut_outs(self, index: Tensor, style: Tensor) -> Tensor:
        chosen = self._plain[index]
        for name, drawn in (("line art", self._lines), ("sticker", self._stickers)):
            is_style = (style == STYLES.index(name)).view(-1, 1, 1, 1)
            chosen = torch.where(is_style, drawn[index], chosen)
        return chosen.float() / 255

    def _backgrounds(self, generator: torch.Generator, colours: Tensor, plain: Tensor) -> Tensor:
        """Backgrounds (N, 3, H, W) in [0, 1] in colours (N,) of `BACKGROUNDS`: plain, or also ramps and stripes."""
        count = len(colours)
        jitter = 0.12 * (self._uniform(generator, count, 3) - 0.5)
        colour = (self._colours[colours] + jitter).clamp(0, 1).view(count, 3, 1, 1)
        other = self._uniform(generator, count, 3, 1, 1)
        axis = torch.linspace(0, 1, _CANVAS, device=self.device)
        angle = 6.2832 * self._uniform(generator, count, 1, 1)
        ramp = axis.view(1, 1, -1) * angle.cos() + axis.view(1, -1, 1) * angle.sin()
        period = 3 + 5 * self._uniform(generator, count, 1, 1)
        stripes = ((ramp * period).remainder(1) < 0.5).float()
        kind = self._uniform(generator, count, 1, 1)
        share = torch.where(
            kind < 0.4, torch.zeros_like(ramp), torch.where(kind < 0.75, ramp.clamp(0, 1), 0.5 * stripes)
        )
        share = torch.where(plain.view(-1, 1, 1), torch.zeros_like(share), share).unsqueeze(1)
        return colour * (1 - share) + other * share

    def _compose(self, generator: torch.Generator, cut_out: Tensor, background: Tensor, pixelated: Tensor) -> Tensor:
        count = len(cut_out)
        scale = 0.72 + 0.26 * self._uniform(generator, count)
        angle = 0.5 * (self._uniform(generator, count) - 0.5) * self._uniform(generator, count)
        mirrored = torch.where(self._uniform(generator, count) < 0.5, -1.0, 1.0)
        room = (1 - scale).clamp(min=0.04)
        across = room * (2 * self._uniform(generator, count) - 1)
        down = room * (2 * self._uniform(generator, count) - 1)
        cos, sin = angle.cos() / scale, angle.sin() / scale
        # Where each pixel of the picture lies in the drawing (affine_grid's sense).
        matrix = torch.stack(
            [
                torch.stack([mirrored * cos, -mirrored * sin, -mirrored * (cos * across - sin * down)], 1),
                torch.stack([sin, cos, -(sin * across + cos * down)], 1),
            ],
            1,
        )
        premultiplied = torch.cat([cut_out[:, :3] * cut_out[:, 3:], cut_out[:, 3:]], 1)
        grid = F.affine_grid(matrix, [count, 4, _CANVAS, _CANVAS], align_corners=False)
        placed = F.grid_sample(premultiplied, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        light = (1 + 0.16 * (self._uniform(generator, count, 1, 1, 1) - 0.5)).clamp(max=1.08)
        picture = background * (1 - placed[:, 3:]) + placed[:, :3] * light
        picture = F.avg_pool2d(picture.clamp(0, 1), 2)
        blocks = F.interpolate(F.avg_pool2d(picture, 4), scale_factor=4, mode="nearest")
        blocks = ((blocks - 0.5) * 1.15 + 0.5).clamp(0, 1)  # averages are dull: more contrast
        picture = torch.where(pixelated.view(-1, 1, 1, 1), blocks, picture)
        return picture * 2 - 1


def _edges(pictures: Tensor) -> Tensor:
    """Strength of the edges in (N, C, H, W), (N, 1, H, W), about 0 to 1 at strong ones."""
    across = F.pad(pictures[..., :, 1:] - pictures[..., :, :-1], (0, 1, 0, 0))
    down = F.pad(pictures[..., 1:, :] - pictures[..., :-1, :], (0, 0, 0, 1))
    return 1.6 * (across.square() + down.square()).sum(1, keepdim=True).sqrt()


def _line_art(rgba: Tensor) -> Tensor:
    """Dark lines round white areas: drawings (N, 4, H, W) in [0, 1] as such drawings."""
    flat = torch.cat([rgba[:, :3] * rgba[:, 3:], 2 * rgba[:, 3:]], 1)
    strength = F.max_pool2d(_edges(flat), 3, 1, 1)
    lines = ((strength - 0.18) * 4).clamp(0, 1)
    lines = F.avg_pool2d(F.pad(lines, (1, 1, 1, 1)), 3, 1)
    alpha = torch.maximum(rgba[:, 3:], lines)
    return torch.cat([(1 - 0.9 * lines).expand(-1, 3, -1, -1), alpha], 1)


def _sticker(rgba: Tensor) -> Tensor:
    """A thick white border round the drawing, with a thin dark rim: (N, 4, H, W) in [0, 1] as such drawings."""
    side = rgba.shape[-1]
    inner = F.interpolate(rgba, scale_factor=0.84, mode="bilinear", antialias=True)
    margin = (side - inner.shape[-1]) // 2
    inner = F.pad(inner, (margin, side - inner.shape[-1] - margin, margin, side - inner.shape[-1] - margin))
    border = F.max_pool2d(inner[:, 3:], 13, 1, 6)
    border = F.avg_pool2d(F.pad(border, (1, 1, 1, 1)), 3, 1)
    rim = F.avg_pool2d(F.pad(F.max_pool2d(border, 3, 1, 1), (1, 1, 1, 1)), 3, 1)
    colour = inner[:, :3] * inner[:, 3:] + (1 - inner[:, 3:]) * (0.45 + 0.55 * border)
    return torch.cat([colour, rim], 1)


def turn_hue(pictures: Tensor, angle: Tensor) -> Tensor:
    """Colours of (N, 3, H, W) in [0, 1] turned about the grey axis by `angle` (N, 1, 1 or H, 1 or W), radians."""
    cos, sin = angle.cos(), angle.sin()
    third, root = 1 / 3, 3**-0.5
    red, green, blue = pictures.unbind(1)
    red, green, blue = red.unsqueeze(1), green.unsqueeze(1), blue.unsqueeze(1)
    same, plus, minus = cos + (1 - cos) * third, (1 - cos) * third + root * sin, (1 - cos) * third - root * sin
    return torch.cat(
        [
            same * red + minus * green + plus * blue,
            plus * red + same * green + minus * blue,
            minus * red + plus * green + same * blue,
        ],
        1,
    )
