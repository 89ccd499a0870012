"""What a U-Net and its text encoders keep for the backward pass, counted layer by layer from their configs.

The bytes of one layer for each of its channels × latent pixels are in `LAYERS`. They were measured with saved-tensor
hooks on the layers of diffusers 0.42 (torch 2.13); on a GPU, autocast computes its norms in 32 bits, on a CPU it does
not. The sums agree within 4% with every live tensor of whole steps of SD 1.5, SD 2.1 and SDXL (see the tests).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOKENS = 77
DOWN = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
UP = ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")
"""What diffusers takes where a config names no blocks."""


@dataclass(frozen=True)
class Layers:
    """Bytes kept for each channel × pixel. `element`: of one number as it goes from layer to layer.

    `resnet`: for each channel that comes in and each that goes out; `uneven`: more for those that come in where they
    are not as many. `frame`: around the blocks of one attention. `text`: a text encoder's layer, for each channel ×
    token. `place` is that of the arithmetic in `BLOCKS`.
    """

    place: int
    element: int
    resnet: float
    uneven: float
    frame: float
    text: float


IN_32_BITS = Layers(place=0, element=4, resnet=12, uneven=0, frame=12, text=80.5)
IN_16_BITS_ON_A_CPU = Layers(place=1, element=2, resnet=6, uneven=0, frame=6, text=48.5)
IN_16_BITS_ON_A_GPU = Layers(place=2, element=2, resnet=10, uneven=2, frame=8, text=50)

BLOCKS: dict[tuple[str, bool], tuple[float, float, float]] = {
    ("whole", False): (113, 57, 67),
    ("lora", False): (94.4, 55.4, 61.6), ("lora", True): (115, 65.7, 72),
    ("dora", False): (142, 79, 86), ("dora", True): (235, 126, 132),
    ("loha", False): (93, 47, 61), ("loha", True): (113, 57, 95),
    ("lokr", False): (93, 55, 61), ("lokr", True): (113, 65, 95),
}  # fmt: skip
"""A transformer block, by what of it trains and whether that is more than its attention: frozen layers keep less,
adapters keep inputs of their own. One figure for each `Layers.place`."""
RESNET_SHARES = {"whole": 1.0, "lora": 1.3, "dora": 1.8, "loha": 1.1, "lokr": 1.25}
"""A resnet whose convolutions have adapters, against one without."""
ADAPTED_WEIGHT_BYTES = {"whole": 0.0, "lora": 0.0, "dora": 0.0, "loha": 3.8, "lokr": 3.8}
"""Kept for each number of a weight with an adapter in 32 bits: its change is worked out whole. Half of it in 16."""
AGAIN = 1.2
"""What computing a layer once more takes against what it keeps: its gradients are there too."""


@dataclass(frozen=True)
class Layer:
    """Bytes for one picture: of what comes in (all that is kept of it with checkpointing), and of what it keeps.

    `checkpointed`: whether gradient checkpointing is about this layer at all.
    """

    taken: float
    kept: float
    checkpointed: bool


def unet_layers(
    config: Mapping[str, Any], height: int, width: int, layers: Layers, *, method: str = "whole", more: bool = False,
    convolutions: bool = False,
) -> Iterator[Layer]:  # fmt: skip
    """Every layer of a U-Net that keeps something, for latents of this height and width.

    `method` is what trains (an id of `METHODS` or `WHOLE`), `more`: not its attention alone, `convolutions` too.
    """
    block = BLOCKS[method, more][layers.place]
    resnet_share = RESNET_SHARES[method] if convolutions else 1.0
    channels: Sequence[int] = config["block_out_channels"]
    down, up = config.get("down_block_types", DOWN), config.get("up_block_types", UP)
    resnets = _for_each(config.get("layers_per_block", 2), len(channels))
    depths = _for_each(config.get("transformer_layers_per_block", 1), len(channels))
    sides = [max(1, -(-height >> level)) * max(1, -(-width >> level)) for level in range(len(channels))]

    def resnet(level: int, into: int, out: int) -> Layer:
        kept = layers.resnet * (into + out) + (layers.uneven * into if into != out else 0)
        return Layer(layers.element * into * sides[level], kept * resnet_share * sides[level], True)

    def attention(level: int, width: int, depth: int) -> Iterator[Layer]:
        numbers = width * sides[level]
        yield Layer(0, layers.frame * numbers, False)
        for _ in range(depth):
            yield Layer(layers.element * numbers, block * numbers, True)

    skips, into = [channels[0]], channels[0]
    for level, out in enumerate(channels):
        for _ in range(resnets[level]):
            yield resnet(level, into, out)
            if "CrossAttn" in down[level]:
                yield from attention(level, out, depths[level])
            into = out
            skips.append(out)
        if level < len(channels) - 1:
            yield Layer(0, layers.element * out * sides[level], False)
            skips.append(out)
    last = len(channels) - 1
    yield resnet(last, into, into)
    yield from attention(last, into, depths[last])
    yield resnet(last, into, into)
    for place, level in enumerate(reversed(range(len(channels)))):
        out = channels[level]
        for _ in range(resnets[level] + 1):
            yield resnet(level, into + skips.pop(), out)
            if "CrossAttn" in up[place]:
                yield from attention(level, out, depths[level])
            into = out
        if level > 0:
            yield Layer(0, layers.element * out * sides[level - 1], False)
    yield Layer(0, layers.resnet / 4 * channels[0] * sides[0], False)


def text_layers(config: Mapping[str, Any], layers: Layers) -> list[Layer]:
    """Those of a text encoder that trains."""
    numbers = TOKENS * int(config["hidden_size"])
    return [Layer(4 * numbers, layers.text * numbers, True)] * int(config["num_hidden_layers"])


def kept_bytes(found: Sequence[Layer], *, checkpointing: bool) -> tuple[float, float]:
    """(at the end of the forward pass, the most that one layer adds when it is computed again), for one picture."""
    if not checkpointing:
        return sum(layer.kept for layer in found), 0.0
    kept = sum(layer.taken if layer.checkpointed else layer.kept for layer in found)
    return kept, AGAIN * max((layer.kept for layer in found if layer.checkpointed), default=0.0)


def _for_each(value: int | Sequence[int], levels: int) -> Sequence[int]:
    return [value] * levels if isinstance(value, int) else value
