"""The judge of the demo: a small network that says what a picture of the embedded model shows.

It knows the nouns of the embedded model's small world and the three things that the demo teaches: the dog of
`pictures/subject`, the woman of `pictures/face` and the neon drawings of `pictures/style`. So learning is a figure
and not a matter of taste. `core/demo/recipe/recogniser.py` trained it; it is right about nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from core.files import write_atomic

WEIGHTS = Path(__file__).with_name("recogniser.safetensors")
SIDE = 64
TAUGHT = ("subject", "face", "style")
"""What the demo teaches, by the names of its folders of pictures."""

_WIDTHS = (24, 48, 96, 160, 224)
_NOUNS = "nouns"


@dataclass(frozen=True)
class Scores:
    """What N pictures show, all from 0 to 1.

    `noun` (N, nouns): probabilities, in the order of the recogniser's `nouns`. `subject`, `face`, `style` (N,): that
    it is the demo's dog; that it is the demo's woman; that it is drawn in the demo's neon, whatever the thing.
    """

    noun: Tensor
    subject: Tensor
    face: Tensor
    style: Tensor

    def of(self, taught: str) -> Tensor:
        """(N,): the score of one of `TAUGHT`."""
        return {"subject": self.subject, "face": self.face, "style": self.style}[taught]


class Recogniser(nn.Module):
    """Five convolutions, each at half the size of the one before, and a linear layer. Made by `load`."""

    def __init__(self, nouns: Sequence[str]) -> None:
        super().__init__()
        self.nouns = tuple(nouns)
        channels = 3
        layers: list[nn.Module] = []
        for number, width in enumerate(_WIDTHS):
            layers += [_convolution(channels, width, stride=2 if number == 0 else 1)]
            if number == 3:
                layers += [_Residual(width)]
            if number < len(_WIDTHS) - 1 and number > 0:
                layers += [nn.MaxPool2d(2)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, len(self.nouns) + len(TAUGHT))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the nouns (N, nouns) and of `TAUGHT` (N, 3) for pictures (N, 3, 64, 64) in [-1, 1]."""
        pooled = self.features(pictures).mean((2, 3))
        logits: Tensor = self.head(F.dropout(pooled, 0.1, self.training))
        return logits[:, : len(self.nouns)], logits[:, len(self.nouns) :]

    @torch.no_grad()
    def score(self, pictures: Tensor) -> Scores:
        """What pictures (N, 3, 64, 64) in [-1, 1] show."""
        nouns, taught = self(pictures)
        return Scores(nouns.softmax(1), *taught.sigmoid().unbind(1))

    def names(self, scores: Scores) -> list[str]:
        """The likeliest noun of each picture."""
        return [self.nouns[number] for number in scores.noun.argmax(1).tolist()]


def load(path: Path = WEIGHTS) -> Recogniser:
    """The recogniser in a file, in fp32, in eval mode, on the CPU. No random number is drawn for it."""
    with safe_open(path, framework="pt") as stored:
        nouns = json.loads(stored.metadata()[_NOUNS])
        weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - it is no mapping
    with torch.device("meta"):
        recogniser = Recogniser(nouns)
    recogniser.load_state_dict(
        {name: weight.float() if weight.is_floating_point() else weight for name, weight in weights.items()},
        assign=True,
    )
    return recogniser.eval().requires_grad_(False)


def store(recogniser: Recogniser, path: Path) -> None:
    """Write the recogniser in fp16, its nouns in the metadata."""
    weights = {
        name: (weight.half() if weight.is_floating_point() else weight).contiguous()
        for name, weight in recogniser.state_dict().items()
    }
    write_atomic(path, save(weights, {_NOUNS: json.dumps(recogniser.nouns)}))


def as_pixels(pictures: Sequence[Image.Image]) -> Tensor:
    """Pictures of any size as (N, 3, 64, 64) in [-1, 1]."""
    small = [picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX) for picture in pictures]
    return torch.from_numpy(numpy.stack([numpy.asarray(picture) for picture in small])).permute(0, 3, 1, 2) / 127.5 - 1


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.body(x)
        return added


def _convolution(channels: int, width: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )
