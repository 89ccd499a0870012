"""How many pictures of which size a run has, and how many steps each size fills in an epoch.

The batches of a run are made of the same counts (`core.data.batches`): a step has pictures of one size.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.config.options import RunConfig
from core.data.sizes import Size, grid, size_of
from core.families.describe import SourceDescription
from core.planning.facts import Facts
from core.planning.memory import resolution_of

MOMENTS_BYTES = 2 * 4
"""Of each cached latent: its mean and deviation, in 32 bits."""
USUAL_FACTOR = 8
"""Pixels for each latent in every Stable Diffusion."""


@dataclass(frozen=True)
class BucketPlan:
    """The pictures of one size (`None`: all alike, of a size that is not known yet), repeats counted."""

    size: Size | None
    samples: int
    samples_per_epoch: int
    """After wrap or drop."""
    steps: int
    """Of each epoch."""


def images_per_step(config: RunConfig, facts: Facts) -> int:
    """Instance pictures in each update: size × accumulation × processes, or what a saved state says."""
    return facts.batch or config.batch.size * config.batch.accumulation * facts.processes


def concept_sizes(config: RunConfig, facts: Facts, number: int) -> list[Size | None] | None:
    """The size at which each picture of a concept trains; `None` as long as its pictures or, for buckets, the
    resolution is not known. Without buckets all are alike, so that a size that is not known keeps nobody from counting.
    """
    source, scan = facts.description, facts.scan(number)
    resolution = resolution_of(config, source)
    if scan is None or not scan.pictures or (config.images.buckets and resolution is None):
        return None
    if resolution is None:
        return [None] * len(scan.pictures)
    step = grid(source.latent_factor if source is not None else USUAL_FACTOR)
    return [size_of(picture.width, picture.height, resolution, step, buckets=config.images.buckets)
            for picture in scan.pictures]  # fmt: skip


def picture_sizes(config: RunConfig, facts: Facts) -> list[list[Size | None]] | None:
    """The same of all concepts; `None` as long as one is not known."""
    sizes = [concept_sizes(config, facts, number) for number in range(len(config.concepts))]
    known = [own for own in sizes if own is not None]
    return known if len(known) == len(sizes) else None


def plan_buckets(config: RunConfig, facts: Facts) -> tuple[BucketPlan, ...] | None:
    """Every size that occurs, in the order in which the batches number them; `None`: not known yet."""
    sizes = picture_sizes(config, facts)
    if sizes is None:
        return None
    counts: Counter[Size | None] = Counter()
    for concept, own in zip(config.concepts, sizes, strict=True):
        for size in own:
            counts[size] += concept.instance.repeats
    per_step = images_per_step(config, facts)
    return tuple(
        BucketPlan(size, counts[size], *count_samples(counts[size], per_step, config.batch.incomplete))
        for size in sorted(counts, key=lambda size: size or Size(0, 0))
    )


def count_samples(samples: int, per_step: int, incomplete: str) -> tuple[int, int]:
    """(samples, steps) of an epoch of `samples`, `per_step` at a time: `drop` rounds down, anything else up."""
    steps = samples // per_step if incomplete == "drop" else -(-samples // per_step)
    return steps * per_step, steps


def common_samples(buckets: Sequence[BucketPlan]) -> int:
    """The largest number that divides the pictures of every bucket: what batches have to divide."""
    return math.gcd(*(bucket.samples for bucket in buckets))


def cache_bytes(
    config: RunConfig, source: SourceDescription, sizes: Sequence[Sequence[Size | None]], class_wanted: Sequence[int]
) -> int:
    """What cached latents take on the disk: every picture at its size, twice where it is mirrored too, and each class
    picture of a concept (`class_wanted`) at every size of that concept's pictures.
    """
    if not config.performance.cache_latents:
        return 0
    pixels = 0
    for own, wanted in zip(sizes, class_wanted, strict=True):
        known = [size for size in own if size is not None]
        pixels += sum(size.pixels for size in known) + wanted * sum(size.pixels for size in set(known))
    channels = int(source.configs.get("vae", {}).get("latent_channels", 4))
    variants = 2 if config.images.horizontal_flip else 1
    return pixels // source.latent_factor**2 * channels * MOMENTS_BYTES * variants
