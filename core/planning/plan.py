"""What a run will be: steps, epochs, class pictures, disk and memory. Pure; the trainer counts with the same functions.

Epoch: every instance picture × its repeats, over all concepts, once, after wrap or drop. Step: optimizer step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from core.choices.formats import EXPORT_FORMATS
from core.choices.schedulers import warmup_updates
from core.config.options import IntervalOptions, RunConfig
from core.config.prompts import concept_name
from core.families.describe import SourceDescription
from core.planning.buckets import BucketPlan, cache_bytes, images_per_step, picture_sizes, plan_buckets
from core.planning.facts import Facts
from core.planning.memory import (
    MemoryEstimate,
    average_bytes,
    estimate_memory,
    optimizer_of,
    resolution_of,
    weight_bytes,
)
from core.planning.trained import trained_parameters
from core.texts import UserError

PICTURE_BYTES = 2
"""Bytes of a PNG for each pixel: photographs take 1.5 to 2."""


@dataclass(frozen=True)
class ConceptPlan:
    """One concept's pictures. `class_missing` of the `class_wanted` pictures have to be generated."""

    name: str
    pictures: int
    repeats: int
    class_wanted: int
    class_missing: int


@dataclass(frozen=True)
class Plan:
    """Counts in optimizer steps unless they say otherwise; bytes are `None` where the source is not known."""

    concepts: tuple[ConceptPlan, ...]
    buckets: tuple[BucketPlan, ...]
    """The sizes that the pictures train at: one, where aspect-ratio buckets are off."""
    instance_pictures: int
    samples: int
    """Instance samples of an epoch before wrap or drop: pictures × repeats."""
    samples_per_epoch: int
    """… after it."""
    images_per_step: int
    """Instance samples in each step: size × accumulation × processes."""
    processes: int
    """Each of which takes its part of every step."""
    steps_per_epoch: int
    steps: int
    epochs: int
    text_encoder_steps: int
    warmup: int
    class_wanted: int
    class_missing: int
    save_steps: int
    """How many states are saved, the one at the end included."""
    sample_steps: int
    """How often previews are made."""
    sample_pictures: int
    checkpoint_bytes: int | None
    export_bytes: int | None
    disk_bytes: int | None
    """The most the run's folder will take: one state more than is kept, exports, class pictures, previews, latents."""
    memory_bytes: int | None
    """An estimate (`memory.py`) of the most on the device that trains."""
    memory: MemoryEstimate | None
    """The same by what it is for, and what it takes beside a GPU."""


def count_steps(config: RunConfig, steps_per_epoch: int) -> int:
    """Optimizer steps of the whole run: epochs × steps of an epoch, or `max_steps` in their place."""
    return config.intervals.max_steps or config.intervals.epochs * steps_per_epoch


def text_encoder_steps(ratio: float, steps: int) -> int:
    """The first floor(ratio × steps) steps train the text encoder; exact for ratios such as 0.29."""
    return math.floor(Fraction(repr(ratio)) * steps)


def is_due(step: int, every_epochs: int, every_steps: int, steps_per_epoch: int) -> bool:
    """Whether something is to be done after `step` (the first is 1). Both intervals count, 0 is off."""
    return any(interval > 0 and step % interval == 0 for interval in (every_steps, every_epochs * steps_per_epoch))


def count_due(steps: int, every_epochs: int, every_steps: int, steps_per_epoch: int) -> int:
    """For how many of the steps 1 … `steps` something is due; the same as asking `is_due` for each."""
    intervals = [interval for interval in (every_steps, every_epochs * steps_per_epoch) if interval > 0]
    both = steps // math.lcm(*intervals) if len(intervals) == 2 else 0
    return sum(steps // interval for interval in intervals) - both


def is_shown(step: int, steps: int, every: IntervalOptions, steps_per_epoch: int) -> bool:
    """Whether previews are due after `step`; where any are made on the way, the last step has them too: they show what
    the run ends with.
    """
    planned = every.sample_every_epochs or every.sample_every_steps
    due = is_due(step, every.sample_every_epochs, every.sample_every_steps, steps_per_epoch)
    return due or bool(planned and step == steps)


def count_shown(steps: int, every: IntervalOptions, steps_per_epoch: int) -> int:
    """After how many of the steps 1 … `steps`."""
    due = count_due(steps, every.sample_every_epochs, every.sample_every_steps, steps_per_epoch)
    at_end = is_due(steps, every.sample_every_epochs, every.sample_every_steps, steps_per_epoch)
    return due + (is_shown(steps, steps, every, steps_per_epoch) and not at_end)


def checkpoint_size(config: RunConfig, facts: Facts, source: SourceDescription) -> int:
    """Bytes of a resumable state: each trained parameter, its average, and what the optimizer keeps for it."""
    each = weight_bytes(config) + average_bytes(config) + optimizer_of(config, facts.machine).state_bytes
    return round(trained_parameters(config, source) * each)


def export_size(config: RunConfig, source: SourceDescription) -> int:
    """Bytes of an exported model: all its components, or the adapters alone."""
    alone = EXPORT_FORMATS[config.export_format].is_adapter
    numbers = trained_parameters(config, source) if alone else sum(source.parameters.values())
    return numbers * (2 if config.saving.half else 4)


def memory_of(config: RunConfig, facts: Facts) -> MemoryEstimate | None:
    """What the run takes of memory, by its largest picture; `None` as long as the source is not known."""
    sizes = [size for own in picture_sizes(config, facts) or () for size in own if size is not None]
    largest = max(sizes, key=lambda size: size.pixels, default=None)
    return estimate_memory(config, facts.description, facts.machine, largest) if facts.description else None


def make_plan(config: RunConfig, facts: Facts) -> Plan | None:
    """The plan, or `None` as long as a concept has no pictures, buckets have no resolution or an epoch no step."""
    sizes, buckets = picture_sizes(config, facts), plan_buckets(config, facts)
    if sizes is None or buckets is None:
        return None
    concepts = []
    for number, concept in enumerate(config.concepts):
        scan = facts.scan(number)
        if scan is None or not scan.pictures:
            return None
        held = facts.prior_scan(number)
        wanted = concept.prior.images_per_instance * len(scan.pictures)
        concepts.append(ConceptPlan(concept_name(concept, number), len(scan.pictures), concept.instance.repeats,
                                    wanted, max(0, wanted - (len(held.pictures) if held else 0))))  # fmt: skip
    steps_per_epoch = sum(bucket.steps for bucket in buckets)
    if steps_per_epoch == 0:
        return None
    steps = count_steps(config, steps_per_epoch)
    every = config.intervals
    due = count_due(steps, every.save_every_epochs, every.save_every_steps, steps_per_epoch)
    at_end = is_due(steps, every.save_every_epochs, every.save_every_steps, steps_per_epoch)
    saves = due if at_end else due + 1
    samplings = count_shown(steps, every, steps_per_epoch) + every.sample_at_start
    previews = samplings * sum(concept.sample.count * (1 + concept.sample.with_class) * _prompts(facts, number)
                               for number, concept in enumerate(config.concepts))  # fmt: skip
    class_missing = sum(concept.class_missing for concept in concepts)
    source = facts.description
    checkpoint = checkpoint_size(config, facts, source) if source else None
    export = export_size(config, source) if source else None
    disk = None
    if source and checkpoint is not None and export is not None:
        side = resolution_of(config, source) or source.native_resolution
        kept = min(saves, config.saving.keep_checkpoints) + 1
        exports = saves if config.saving.on_save else int(config.saving.export_when_done or config.saving.on_cancel)
        exports *= 2 if config.performance.ema and config.saving.include_ema else 1
        cached = cache_bytes(config, source, sizes, [concept.class_wanted for concept in concepts])
        disk = (kept * checkpoint + exports * export + (class_missing + previews) * side * side * PICTURE_BYTES
                + cached)  # fmt: skip
    memory = memory_of(config, facts)
    return Plan(
        concepts=tuple(concepts),
        buckets=buckets,
        instance_pictures=sum(concept.pictures for concept in concepts),
        samples=sum(bucket.samples for bucket in buckets),
        samples_per_epoch=sum(bucket.samples_per_epoch for bucket in buckets),
        images_per_step=images_per_step(config, facts),
        processes=facts.processes,
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        epochs=-(-steps // steps_per_epoch),
        text_encoder_steps=text_encoder_steps(config.performance.text_encoder_ratio, steps),
        warmup=warmup_updates(config.learning_rate.warmup_steps, steps),
        class_wanted=sum(concept.class_wanted for concept in concepts),
        class_missing=class_missing,
        save_steps=saves,
        sample_steps=samplings,
        sample_pictures=previews,
        checkpoint_bytes=checkpoint,
        export_bytes=export,
        disk_bytes=disk,
        memory_bytes=memory.total if memory else None,
        memory=memory,
    )


def _prompts(facts: Facts, concept: int) -> int:
    """How many prompts a concept's previews have; 1 as long as its file was not read."""
    found = facts.preview_prompts[concept] if concept < len(facts.preview_prompts) else ()
    return 1 if isinstance(found, UserError) else max(1, len(found))
