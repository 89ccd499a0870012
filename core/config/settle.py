"""What is decided once, when a run is made, and written into its `run.toml`: seeds and the concepts' names."""

from __future__ import annotations

from collections.abc import Callable

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.prompts import concept_name
from core.seeds import SEED_BITS, fresh_seed


def settle(config: RunConfig) -> RunConfig:
    """`config` with every seed drawn and every concept named. What was chosen stays; doing it twice changes nothing."""
    return name_concepts(draw_seeds(config))


def draw_seeds(config: RunConfig, draw: Callable[[], int] = fresh_seed) -> RunConfig:
    """`config` with each seed of -1 drawn. A preview seed leaves room for the pictures that count on from it."""
    changes: dict[str, int] = {}
    if config.performance.seed == -1:
        changes["performance.seed"] = draw()
    for number, concept in enumerate(config.concepts):
        if concept.sample.seed == -1:
            highest = 2**SEED_BITS - max(1, concept.sample.count)
            changes[f"concepts.{number}.sample.seed"] = min(draw(), highest)
    return with_changes(config, changes)


def name_concepts(config: RunConfig) -> RunConfig:
    """`config` with each unnamed concept named after its class noun; a second dog is `dog-2`.

    Names differ in more than upper and lower case, because they are folders on any file system.
    """
    taken = {concept.name.lower() for concept in config.concepts if concept.name}
    changes: dict[str, str] = {}
    for number, concept in enumerate(config.concepts):
        if concept.name:
            continue
        base = name = concept_name(concept, number)
        count = 1
        while name.lower() in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name.lower())
        changes[f"concepts.{number}.name"] = name
    return with_changes(config, changes)
