"""What the entries of every registry have in common: an id, and what people read of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.texts import in_force


@dataclass(frozen=True)
class Entry:
    """`id` stands in files; title and help are said in the language in force (codes `scheduler.cosine.title`, …)."""

    registry: ClassVar[str]

    id: str
    english: str
    english_help: str

    @property
    def title(self) -> str:
        return in_force(f"{self.registry}.{self.id}.title", self.english)

    @property
    def help(self) -> str:
        return in_force(f"{self.registry}.{self.id}.help", self.english_help)
