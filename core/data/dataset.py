"""What a run learns from, as values: pictures with their captions, concept by concept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Item:
    """One picture and what it is said to show."""

    path: Path
    caption: str


@dataclass(frozen=True)
class ConceptItems:
    """One concept: its own pictures, each counted `repeats` times an epoch, and its class pictures (perhaps none)."""

    name: str
    instance: tuple[Item, ...]
    repeats: int
    prior: tuple[Item, ...]


@dataclass(frozen=True)
class Dataset:
    concepts: tuple[ConceptItems, ...]
