"""What a run learns from, as values: pictures with their captions, concept by concept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path


@dataclass(frozen=True)
class Item:
    """One picture, what it is said to show, and its size in px (after EXIF rotation)."""

    path: Path
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class ConceptItems:
    """One concept: its own pictures, each counted `repeats` times an epoch, and its class pictures (perhaps none)."""

    name: str
    instance: tuple[Item, ...]
    repeats: int
    prior: tuple[Item, ...]


@dataclass(frozen=True)
class Dataset:
    """Everything that a run learns from. Items are numbered: all instance pictures, then all class pictures, concept
    by concept.
    """

    concepts: tuple[ConceptItems, ...]

    @property
    def items(self) -> list[Item]:
        """Every picture, at the place of its number."""
        instances = [item for concept in self.concepts for item in concept.instance]
        return instances + [item for concept in self.concepts for item in concept.prior]

    @property
    def instance_items(self) -> range:
        """The numbers of the person's own pictures."""
        return range(sum(len(concept.instance) for concept in self.concepts))

    @property
    def prior_items(self) -> range:
        """The numbers of the class pictures."""
        return range(len(self.instance_items), len(self.items))

    @property
    def first_instance(self) -> list[int]:
        """The number of each concept's first instance picture."""
        return list(accumulate((len(concept.instance) for concept in self.concepts[:-1]), initial=0))

    @property
    def first_prior(self) -> list[int]:
        """The number of each concept's first class picture."""
        first = len(self.instance_items)
        return list(accumulate((len(concept.prior) for concept in self.concepts[:-1]), initial=first))
