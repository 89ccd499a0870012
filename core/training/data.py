"""What a run learns from: the pictures with their captions and sizes, the order of their batches, their latents."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from core.config.options import Concept, RunConfig
from core.config.prompts import class_prompt, concept_name, instance_prompt
from core.data.batches import BatchPlan
from core.data.caches import LatentCache
from core.data.captions import caption
from core.data.dataset import ConceptItems, Dataset, Item
from core.data.latents import CachedLatents, Latents, LiveLatents, Masks
from core.data.scan import Picture, Scan, scan
from core.data.sizes import grid, size_of
from core.data.views import View
from core.events import Event, Phase
from core.families.model import Model
from core.files import hash_file
from core.planning.class_pictures import class_folder
from core.tensors import digest
from core.training.batches import Augmentation
from core.training.device import Settled
from core.training.requests import Requests


@dataclass(frozen=True)
class Learning:
    """The pictures of a run as tensors."""

    dataset: Dataset
    latents: Latents
    masks: Masks


def dataset_of(
    config: RunConfig, folder: Path, scans: tuple[Scan, ...], *, resolution: int, latent_factor: int
) -> Dataset:
    """Every picture with its caption, the class pictures that exist by now included. `resolution` in px."""
    concepts = []
    for number, concept in enumerate(config.concepts):
        found = scans[number].pictures
        instance = tuple(
            _item(picture, instance_prompt(concept), concept, masked=config.images.mask) for picture in found
        )
        sizes = tuple(size_of(picture.width, picture.height, resolution, grid(latent_factor),
                              buckets=config.images.buckets) for picture in found)  # fmt: skip
        prior: list[Item] = []
        if concept.prior.images_per_instance:
            wanted = concept.prior.images_per_instance * len(found)
            for picture in scan(class_folder(config, folder, number), decode=True).pictures[:wanted]:
                template = "[filewords]" if picture.caption_file else class_prompt(concept)
                prior.append(_item(picture, template, concept, masked=False))
        name, repeats = concept_name(concept, number), concept.instance.repeats
        concepts.append(ConceptItems(name, instance, sizes, repeats, tuple(prior)))
    return Dataset(tuple(concepts))


def batch_plan(config: RunConfig, dataset: Dataset, batch: int) -> BatchPlan:
    """Which of the pictures are in which step, so many in each."""
    return BatchPlan(
        instances=[len(concept.instance) for concept in dataset.concepts],
        repeats=[concept.repeats for concept in dataset.concepts],
        priors=[len(concept.prior) for concept in dataset.concepts],
        size=config.batch.size,
        accumulation=config.batch.accumulation,
        processes=batch // (config.batch.size * config.batch.accumulation),
        incomplete=config.batch.incomplete,
        seed=config.performance.seed,
        sizes=[concept.sizes for concept in dataset.concepts],
    )


def augmentation(config: RunConfig) -> Augmentation:
    """What is drawn anew for each slot."""
    images = config.images
    return Augmentation(images.horizontal_flip, images.crop == "random", images.caption_dropout, images.shuffle_tags)


def learning(
    config: RunConfig, dataset: Dataset, folder: Path, model: Model, settled: Settled, requests: Requests
) -> Generator[Event, None, Learning]:
    """The latents of all pictures: encoded once, after which the VAE leaves the device, or at each step, for which it
    stays. Raises `StopRequested` between pictures.
    """
    mirrored = (False, True) if config.images.horizontal_flip else (False,)
    items = dataset.items
    views = [View(items[item], size, mirror) for item, size in dataset.cuts for mirror in mirrored]
    latents: Latents
    if config.performance.cache_latents:
        cache = LatentCache(folder / "cache", model.encode_image, model.vae_hash, scaling=model.scaling_factor)
        for done, total in cache.prepare(views):
            yield Phase(name="caching", done=done, total=total)
            yield from requests.obey_early()
        model.vae.to("cpu")
        torch.cuda.empty_cache()  # what is free now decides where the latents lie
        latents = CachedLatents(cache, views, settled.device)
    else:
        latents = LiveLatents(
            model.encode_image, scaling=model.scaling_factor, channels=model.latent_channels,
            factor=model.latent_factor, device=settled.device,
        )  # fmt: skip
    known = views if config.images.crop == "centre" else []
    return Learning(dataset, latents, Masks([view for view in known if view.item.masked], latents.shape))


def data_hash(dataset: Dataset, model: Model) -> str:
    """Of every picture's content, caption and mask and of the source's encoders, as they are before any training: a
    resumed run sees whether what it learns from is still the same.
    """
    lines = [model.vae_hash, *(digest(encoder.state_dict()) for encoder in model.text_encoders.values())]
    lines += [f"{concept.name} {concept.repeats}" for concept in dataset.concepts]
    for item in (item for concept in dataset.concepts for item in (*concept.instance, *concept.prior)):
        mask = hash_file(item.mask_file) if item.masked and item.mask_file else ""
        lines.append(f"{hash_file(item.path)} {mask} {item.caption}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _item(picture: Picture, template: str, concept: Concept, *, masked: bool) -> Item:
    said = caption(template, picture, concept.instance.identifier, concept.instance.class_noun)
    return Item(picture.path, said, picture.width, picture.height, masked, picture.mask_file if masked else None)
