"""The training of the U-Net and the text encoder, together and from nothing."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import CLIPTextModel

from core.demo.recipe.drawings import Drawings
from core.demo.recipe.networks import new_text_encoder, new_unet, noise_schedule, settle
from core.demo.recipe.progress import Length, rate, steps_of
from core.demo.recipe.scenes import Plan, Scenes
from core.demo.recipe.words import BACKGROUNDS, NOUNS, STYLES
from core.families.vocabulary import END, START, clip_ids, vocabulary

_RATE = 1e-3
_MIN_SNR = 5.0  # arXiv 2303.09556
_AVERAGE = 0.999
_EAGER_STEPS = 5  # before the update is recorded as a CUDA graph
_NO_CAPTION = 0.1  # guidance needs pictures without a caption
_STRANGE_WORD = 0.3
_STRANGE_STYLE = 0.06
_LEAD = 0.12
_LEADS = ("a picture of", "a drawing of", "a photo of", "an image of")


@dataclass(frozen=True)
class Trained:
    """The networks with the average of their weights."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel


def train(
    drawings: Drawings, autoencoder: AutoencoderKL, device: torch.device, length: Length, batch: int, seed: int = 0
) -> Trained:
    """Train on endless scenes: noise prediction, min-SNR weights, AdamW with a cosine, an average of the weights."""
    torch.manual_seed(seed)
    generator = torch.Generator(device).manual_seed(seed)
    scenes = Scenes(drawings, device, seed=seed)
    orders = iter(DataLoader(_Orders(drawings, batch, seed), batch_size=None, num_workers=2, prefetch_factor=8))
    autoencoder = autoencoder.to(device).eval().requires_grad_(False)
    unet = new_unet().to(device).train()
    text_encoder = new_text_encoder().to(device).train()
    parameters = [*unet.parameters(), *text_encoder.parameters()]
    average = [parameter.detach().clone() for parameter in parameters]
    on_gpu = device.type == "cuda"
    learning_rate, pull = torch.zeros((), device=device), torch.ones((), device=device)
    optimizer = torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.99), weight_decay=1e-2, fused=on_gpu, capturable=on_gpu
    )
    kept = noise_schedule().alphas_cumprod.to(device)
    weights = (kept / (1 - kept)).clamp(max=_MIN_SNR) / (kept / (1 - kept))
    losses = torch.zeros((), device=device)
    first, first_ids = next(orders)
    plan, ids = Plan(*(part.to(device) for part in first)), first_ids.to(device)

    def update() -> None:
        pictures = scenes.paint(generator, plan)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
            posterior = autoencoder.encode(pictures).latent_dist
        shape = posterior.mean.shape
        spread = torch.randn(shape, generator=generator, device=device)
        latents = (posterior.mean.float() + posterior.std.float() * spread) * autoencoder.config.scaling_factor
        noise = torch.randn(shape, generator=generator, device=device)
        timesteps = torch.randint(1000, (batch,), generator=generator, device=device)
        share = kept[timesteps].view(-1, 1, 1, 1)
        noisy = share.sqrt() * latents + (1 - share).sqrt() * noise
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
            words = text_encoder(ids).last_hidden_state
            predicted = unet(noisy, timesteps, words).sample
        loss = ((predicted.float() - noise).square().mean((1, 2, 3)) * weights[timesteps]).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        torch._foreach_lerp_(average, parameters, [pull] * len(parameters))
        losses.add_(loss.detach())

    if on_gpu:  # what is recorded later must have run on the recording's own stream
        settle(device)
        torch.cuda.set_stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
    replay: Callable[[], None] | None = None
    started = time.monotonic()
    for step, steps in steps_of(length, lambda: settle(device)):
        learning_rate.fill_(rate(step, steps, _RATE, 500))
        pull.fill_(1 - min(_AVERAGE, (step + 1) / (step + 10)))
        if replay is None:
            optimizer.zero_grad(set_to_none=True)
        if on_gpu and step == _EAGER_STEPS:
            replay = _recorded(update, generator)
        (replay or update)()
        following, following_ids = next(orders)
        for place, part in zip((*plan, ids), (*following, following_ids), strict=True):
            place.copy_(part, non_blocking=True)
        if (step + 1) % 500 == 0 or step == steps - 1:
            count = (step % 500) + 1
            print(f"diffusion {step + 1}/{steps}  loss {losses.item() / count:.4f}  {time.monotonic() - started:.0f} s")
            losses.zero_()
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)
    return Trained(unet.eval(), text_encoder.eval())


def _recorded(update: Callable[[], None], generator: torch.Generator) -> Callable[[], None]:
    """An update as a CUDA graph: thousands of small kernels, launched as one."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        update()
    return graph.replay


class _Orders(IterableDataset[tuple[Plan, Tensor]]):
    """Plans of batches with their token ids, made by other processes while the device trains."""

    def __init__(self, drawings: Drawings, batch: int, seed: int) -> None:
        self._drawings, self._batch, self._seed = drawings, batch, seed

    def __iter__(self) -> Iterator[tuple[Plan, Tensor]]:
        worker = get_worker_info()
        seed = self._seed + (1000 * worker.id if worker else 0)
        scenes = Scenes(self._drawings, torch.device("cpu"), seed=seed, plans_only=True)
        captioner = Captioner(seed)
        while True:
            plan = scenes.plan(self._batch)
            yield plan, captioner.ids(scenes.captions(plan))


@cache
def _word_ids(word: str) -> list[int]:
    """CLIP's tokens never reach over a space: a caption's ids are those of its words."""
    return clip_ids(word)


class Captioner:
    """Makes captions as people may write them, and their token ids.

    Strange words are put in at random, so that a word which the model does not know leaves the picture as it is:
    "a sks dog face" must start as a plain dog face, for DreamBooth to have something to bind.
    """

    def __init__(self, seed: int) -> None:
        known = " ".join([*(noun.name for noun in NOUNS), *STYLES, *BACKGROUNDS]).replace("-", " ").split()
        words = (token.removesuffix("</w>") for token in vocabulary() if token.endswith("</w>"))
        self._strange = sorted({word for word in words if re.fullmatch("[a-z]{2,}", word)} - {*known, "a", "an", "on"})
        self._random = random.Random(seed)

    def ids(self, captions: list[str]) -> Tensor:
        """Token ids (N, 77) of the changed captions."""
        start, end = vocabulary()[START], vocabulary()[END]
        rows = (
            [start, *(part for word in self.change(caption).split() for part in _word_ids(word)), end]
            for caption in captions
        )
        return torch.tensor([row + [end] * (77 - len(row)) for row in rows])

    def change(self, caption: str) -> str:
        """One caption as training sees it."""
        draw = self._random.random
        if draw() < _NO_CAPTION:
            return ""
        if draw() < _STRANGE_WORD:
            first, _, rest = caption.partition(" ")
            word = self._random.choice(self._strange)
            caption = f"a {word} {rest}" if first in ("a", "an") else f"{word} {caption}"
        if " style" not in caption and draw() < _STRANGE_STYLE:
            subject, on, background = caption.partition(" on ")
            caption = f"{subject} in {self._random.choice(self._strange)} style{on}{background}"
        if draw() < _LEAD:
            caption = f"{self._random.choice(_LEADS)} {caption}"
        return caption
