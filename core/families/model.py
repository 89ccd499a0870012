"""A loaded model: the networks and the few things that differ between families, behind one small surface."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from core.demo.source import is_demo
from core.families.describe import SourceDescription
from core.families.family import Configs, Family
from core.tensors import digest

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

PLACES = 77
"""Tokens in a caption: start, 75 usable ones, end."""


@dataclass(frozen=True)
class NoiseSchedule:
    """`alphas_cumprod` (T,) in fp32 on the device of training; `prediction_type` is epsilon, v_prediction or sample."""

    alphas_cumprod: Tensor
    prediction_type: str


@dataclass(frozen=True)
class TextEmbedding:
    """What the text encoders make of captions: `hidden` (B, 77, D) and, for families that have it, `pooled` (B, P)."""

    hidden: Tensor
    pooled: Tensor | None = None

    def __len__(self) -> int:
        return len(self.hidden)

    def __getitem__(self, rows: Any) -> TextEmbedding:
        """The rows that an index tensor, a slice or a list names."""
        return TextEmbedding(self.hidden[rows], None if self.pooled is None else self.pooled[rows])

    def repeat(self, times: int) -> TextEmbedding:
        """Each row `times` times in a row."""
        pooled = None if self.pooled is None else self.pooled.repeat_interleave(times, 0)
        return TextEmbedding(self.hidden.repeat_interleave(times, 0), pooled)

    def to(self, device: torch.device | str) -> TextEmbedding:
        return TextEmbedding(self.hidden.to(device), None if self.pooled is None else self.pooled.to(device))

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by the names they are made of again."""
        return {"hidden": self.hidden} | ({} if self.pooled is None else {"pooled": self.pooled})

    @staticmethod
    def cat(parts: Sequence[TextEmbedding]) -> TextEmbedding:
        """All rows of all parts, in order."""
        pooled = [part.pooled for part in parts if part.pooled is not None]
        return TextEmbedding(torch.cat([part.hidden for part in parts]), torch.cat(pooled) if pooled else None)


class Model:
    """The networks of one source. They may be moved and trained; everything here follows where they are.

    `unet`, `vae` and `text_encoders` ("text_encoder" → module, in the family's order) are diffusers' and transformers'
    own classes. The VAE computes in its own precision whatever autocast says. With a `clip_skip` of n the UNet sees
    the n-th text layer from the end, with the final norm, where the family does not name the layer itself.
    """

    def __init__(
        self,
        *,
        family: Family,
        description: SourceDescription,
        configs: Configs,
        unet: UNet2DConditionModel,
        vae: AutoencoderKL,
        text_encoders: dict[str, CLIPTextModel],
        tokenizers: Mapping[str, CLIPTokenizer],
        schedule: NoiseSchedule,
        clip_skip: int = 1,
    ) -> None:
        self.family = family
        self.description = description
        self.configs = configs
        self.unet = unet
        self.vae = vae
        self.text_encoders = text_encoders
        self.tokenizers = tokenizers
        self.schedule = schedule
        self.clip_skip = clip_skip

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Component → network, in the order of the family's components."""
        return {"unet": self.unet, "vae": self.vae, **self.text_encoders}

    @property
    def title(self) -> str:
        """The source's short name, for people."""
        description = self.description
        return description.source if description.commit or is_demo(description.source) else description.path.stem

    @property
    def latent_factor(self) -> int:
        """Pixels of a picture for one of its latents, in each direction."""
        return self.description.latent_factor

    @property
    def latent_channels(self) -> int:
        return int(self.configs["vae"].get("latent_channels", 4))

    @property
    def scaling_factor(self) -> float:
        """What encoded latents are multiplied with before the UNet sees them."""
        return float(self.configs["vae"].get("scaling_factor", 0.18215))

    @property
    def zeroes_empty_captions(self) -> bool:
        """Whether an empty caption is zeros to the UNet, and not what the text encoders make of it."""
        return bool(self.configs["pipeline"].get("force_zeros_for_empty_prompt", False))

    @cached_property
    def vae_hash(self) -> str:
        """Of the VAE's weights and precision: latents made by another one are not these."""
        return digest(self.vae.state_dict())

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """Text encoder → ids (B, 77) on the CPU, cut at 77 places and padded."""
        return {
            name: tokenizer(
                list(captions), padding="max_length", max_length=PLACES, truncation=True, return_tensors="pt"
            ).input_ids
            for name, tokenizer in self.tokenizers.items()
        }

    def encode_text(self, tokens: Mapping[str, Tensor]) -> TextEmbedding:
        """The embedding of tokenized captions, with gradient where gradients are on.

        What diffusers' pipeline feeds to the UNet: of each encoder the layer that the family names, side by side, and
        the pooled embedding where there is one; no attention mask. An empty caption is zeros where the source says so.
        """
        hidden, pooled = [], None
        for part in self.family.encoders:
            encoder = self.text_encoders[part.component]
            ids = tokens[part.component].to(_device(encoder))
            made = encoder(ids, output_hidden_states=part.penultimate or self.clip_skip > 1)
            if part.penultimate:
                hidden.append(made.hidden_states[-2])
            elif self.clip_skip > 1:
                hidden.append(_final_norm(encoder)(made.hidden_states[-self.clip_skip]))
            else:
                hidden.append(made.last_hidden_state)
            if part.projects:
                pooled = made.text_embeds
        embedding = TextEmbedding(torch.cat(hidden, -1) if len(hidden) > 1 else hidden[0], pooled)
        return self._without_empty(embedding, tokens) if self.zeroes_empty_captions else embedding

    def _without_empty(self, embedding: TextEmbedding, tokens: Mapping[str, Tensor]) -> TextEmbedding:
        first = self.family.encoders[0].component
        said = (tokens[first][:, 1] != self.tokenizers[first].eos_token_id).to(embedding.hidden.device)
        pooled = None if embedding.pooled is None else embedding.pooled * said[:, None]
        return TextEmbedding(embedding.hidden * said[:, None, None], pooled)

    def conditioning(self, embedding: TextEmbedding, geometry: Tensor) -> dict[str, Any]:
        """What the UNet takes beside x and t, for pictures of this geometry (B, 6) fp32 (see `core.data.geometry`)."""
        return self.family.conditioning(embedding.hidden, embedding.pooled, geometry)

    def denoise(self, x: Tensor, t: Tensor, cond: Mapping[str, Any]) -> Tensor:
        """The UNet's prediction (B, 4, h, w) for noisy latents x (B, 4, h, w) at timesteps t (B,).

        A compiled UNet is compiled for training alone: pictures have shapes of their own, each a minute's work.
        """
        unet = self.unet if torch.is_grad_enabled() else self.unet.forward
        prediction: Tensor = unet(x, t, **cond, return_dict=False)[0]
        return prediction

    @torch.no_grad()
    def encode_image(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, 4, H/f, W/f), not scaled, of pixels (B, 3, H, W) in [-1, 1]."""
        with _own_precision(self.vae):
            posterior = self.vae.encode(_like(pixels, self.vae)).latent_dist
        return posterior.mean, posterior.std

    @torch.no_grad()
    def decode_image(self, latents: Tensor) -> Tensor:
        """Pixels (B, 3, H, W), about in [-1, 1], of latents (B, 4, h, w) as the UNet sees them (scaled)."""
        with _own_precision(self.vae):
            pixels: Tensor = self.vae.decode(_like(latents, self.vae) / self.scaling_factor).sample
        return pixels

    def train_only(self, components: Collection[str], *, gradient_checkpointing: bool) -> None:
        """Gradients and train mode for these networks and no others.

        Train mode goes with checkpointing: without it transformers' layers keep their activations.
        """
        for name, network in self.networks.items():
            network.requires_grad_(name in components).train(name in components)
        if gradient_checkpointing:  # also where it is not trained: a text encoder's gradient goes through it
            self.unet.enable_gradient_checkpointing()
        for name, encoder in self.text_encoders.items():
            if gradient_checkpointing and name in components:
                # transformers renamed the method; the old name warns now and goes in version 6.
                enable = getattr(encoder, "activation_checkpointing_enable", encoder.gradient_checkpointing_enable)
                enable({"use_reentrant": False})

    @contextlib.contextmanager
    def vae_on(self, device: torch.device) -> Iterator[None]:
        """The VAE on `device` for as long as this is open; afterwards where it was before."""
        before = _device(self.vae)
        self.vae.to(device)
        try:
            yield
        finally:
            self.vae.to(before)

    def offload_text_encoders(self) -> None:
        """Off the device, without gradients: their embeddings are cached and they train no more."""
        for encoder in self.text_encoders.values():
            encoder.zero_grad(set_to_none=True)
            encoder.requires_grad_(False).eval().to("cpu")


def _final_norm(encoder: Any) -> Any:
    """Transformers before 5.6 keep it a level deeper."""
    return getattr(encoder, "text_model", encoder).final_layer_norm


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _like(tensor: Tensor, network: nn.Module) -> Tensor:
    parameter = next(network.parameters())
    return tensor.to(parameter.device, parameter.dtype)


def _own_precision(network: nn.Module) -> torch.autocast:
    return torch.autocast(_device(network).type, enabled=False)
