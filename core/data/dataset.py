"""What a run learns from, as values: pictures with their captions, concept by concept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from core.data.sizes import Size


@dataclass(frozen=True)
class Item:
    """One picture, what it is said to show, and its size in px (after EXIF rotation). `masked`: a mask says what of it
    counts, `mask_file` or its own alpha.
    """

    path: Path
    caption: str
    width: int
    height: int
    masked: bool = False
    mask_file: Path | None = None


@dataclass(frozen=True)
class ConceptItems:
    """One concept: its own pictures, each counted `repeats` times an epoch, and its class pictures (perhaps none).

    `sizes` are those at which its own pictures train. A class picture is cut to the size of the picture that it stands
    beside.
    """

    name: str
    instance: tuple[Item, ...]
    sizes: tuple[Size, ...]
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
    def first_instance(self) -> list[int]:
        """The number of each concept's first instance picture."""
        return list(accumulate((len(concept.instance) for concept in self.concepts[:-1]), initial=0))

    @property
    def first_prior(self) -> list[int]:
        """The number of each concept's first class picture."""
        first = len(self.instance_items)
        return list(accumulate((len(concept.prior) for concept in self.concepts[:-1]), initial=first))

    @property
    def instance_cuts(self) -> list[tuple[int, Size]]:
        """The number of each of the person's own pictures with the size at which it trains."""
        return list(enumerate(size for concept in self.concepts for size in concept.sizes))

    @property
    def prior_cuts(self) -> list[tuple[int, Size]]:
        """The number of each class picture with every size at which it may train, size by size."""
        return [(first + place, size) for first, concept in zip(self.first_prior, self.concepts, strict=True)
                for size in sorted(set(concept.sizes)) for place in range(len(concept.prior))]  # fmt: skip

    @property
    def cuts(self) -> list[tuple[int, Size]]:
        """Both."""
        return self.instance_cuts + self.prior_cuts
