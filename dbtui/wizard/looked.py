"""What was found on the disk and in the vocabulary for one state of the form, and which fields had asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.config.options import RunConfig
from core.planning.duration import Pace
from core.planning.facts import Facts


@dataclass(frozen=True)
class Tokens:
    """What an identifier is to the model: how many tokens, and the parts of it that they stand for."""

    count: int
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Looked:
    """What was found on disk and in the vocabulary for one state of the form. `tokens` has one entry a concept."""

    facts: Facts
    tokens: tuple[Tokens, ...]
    decoded: bool
    paces: tuple[Pace, ...] = ()
    """What former runs measured; looked at for Review."""


def source_asked(config: RunConfig) -> tuple[str, ...]:
    """What says which model it is."""
    model = config.model
    return model.source, model.family, model.revision, model.variant


def pictures_asked(config: RunConfig) -> list[str]:
    """The folder of each concept's own pictures."""
    return [concept.instance.directory for concept in config.concepts]


def class_pictures_asked(config: RunConfig) -> list[str]:
    """The folder of each concept's class pictures."""
    return [concept.prior.directory for concept in config.concepts]


def everything_asked(config: RunConfig) -> tuple[Any, ...]:
    """All that a look at the disk and the vocabulary answers."""
    identifiers = [concept.instance.identifier for concept in config.concepts]
    return source_asked(config), pictures_asked(config), class_pictures_asked(config), identifiers


def still_true(answers: tuple[Any, ...], then: list[str], now: list[str]) -> tuple[Any, ...]:
    """`answers`, one a concept, with `None` where what was asked has changed since."""
    return tuple(
        answers[number] if number < len(answers) and number < len(then) and then[number] == asked else None
        for number, asked in enumerate(now)
    )
