"""How many floating point operations one update of a run takes: counted on networks without memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from core.adapters.kind import kind_of
from core.config.options import RunConfig
from core.families.describe import SourceDescription
from core.families.load import empty_model
from core.families.model import PLACES, Model, TextEmbedding
from core.training.trained import train_only, trained_of


def flops_of_a_step(
    config: RunConfig, source: SourceDescription, *, side: int, pictures: int, components: Sequence[str]
) -> int:
    """Of forward and backward for so many pictures of `side` px where these `components` are trained: matrix products,
    convolutions and attention, a product and its sum counting as two.

    What is computed twice under gradient checkpointing counts once, as in the model FLOPs utilization of Chowdhery et
    al. (PaLM, 2022, appendix B).
    """
    model = empty_model(source)
    text_trains = not set(components).isdisjoint(model.text_encoders)
    trained = trained_of(model, components, kind_of(config.lora, tuple(model.text_encoders)), seed=0)
    train_only(model, trained, components, gradient_checkpointing=False)
    with torch.device("meta"):
        latent = side // model.latent_factor
        x = torch.empty(pictures, model.latent_channels, latent, latent)
        t, geometry = torch.zeros(pictures, dtype=torch.long), torch.empty(pictures, 6)
        tokens = {name: torch.zeros(pictures, PLACES, dtype=torch.long) for name in model.text_encoders}
        counter = FlopCounterMode(display=False)
        with counter:
            captions = model.encode_text(tokens) if text_trains else _embedding(model, pictures)
            pred = model.denoise(x, t, model.conditioning(captions, geometry))
            torch.autograd.backward(pred.sum())
    return int(counter.get_total_flops())


def _embedding(model: Model, pictures: int) -> TextEmbedding:
    widths = [int(model.configs[name]["hidden_size"]) for name in model.text_encoders]
    pooled = [int(model.configs[encoder.component]["projection_dim"])
              for encoder in model.family.encoders if encoder.projects]  # fmt: skip
    hidden = torch.empty(pictures, PLACES, sum(widths))
    return TextEmbedding(hidden, torch.empty(pictures, pooled[0]) if pooled else None)
