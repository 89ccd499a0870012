"""What is decided once, when a run is made, and stands in its `run.toml`: seeds, the concepts' names, whole paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.prompts import concept_name
from core.demo.source import is_demo
from core.seeds import SEED_BITS, fresh_seed
from core.texts import UserError


def settle(config: RunConfig) -> RunConfig:
    """`config` with every seed drawn, every concept named and every path absolute. Doing it twice changes nothing."""
    return absolute_paths(name_concepts(draw_seeds(config)))


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
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        changes[f"concepts.{number}.name"] = name
    return with_changes(config, changes)


def absolute_paths(config: RunConfig) -> RunConfig:
    """`config` with its folders and files, and a source that is a path here, made absolute: a run goes on
    from anywhere.

    Symbolic links stay, so that a person recognises the path. Raises `UserError` for a path no system can hold.
    """
    changes: dict[str, str] = {}
    for number, concept in enumerate(config.concepts):
        for option, directory in (("instance", concept.instance.directory), ("prior", concept.prior.directory)):
            if directory:
                changes[f"concepts.{number}.{option}.directory"] = str(absolute(directory))
        if concept.sample.template_file:
            changes[f"concepts.{number}.sample.template_file"] = str(absolute(concept.sample.template_file))
    if config.model.vae:
        changes["model.vae"] = str(absolute(config.model.vae))
    if config.model.source and not is_demo(config.model.source) and exists(config.model.source):
        changes["model.source"] = str(absolute(config.model.source))
    return with_changes(config, changes)


def absolute(path: str) -> Path:
    """`path` with `~` filled in (where such a user exists) and from the root. `UserError` for one with a NUL."""
    if "\0" in path:
        raise UserError("config.path", "{path!r} is no path: it holds a NUL.", mend="Type it anew.", path=path)
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - pathlib's own raises for an unknown user


def exists(path: str) -> bool:
    """Whether there is a file or folder at `path`; a text that can be no path (too long, a NUL) names none."""
    try:
        return absolute(path).exists()
    except (OSError, UserError):
        return False
