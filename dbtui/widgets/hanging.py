"""Lines with a head (a key, a mark, a number) whose text goes on under itself, not under the head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual

LEAST_ROOM = 16
"""Cells for the text; where there are fewer beside the head it goes on at the left edge."""


@dataclass(frozen=True)
class Hung:
    """One line: `text` begins behind `head`, and every further line of it below that place. What is `whole` stands
    below its head rather than being broken.
    """

    head: Content
    text: Content
    whole: bool = False

    def content(self, width: int) -> Content:
        """The line as it stands in `width` cells."""
        room = width - self.head.cell_length
        if not self.head.plain or room < LEAST_ROOM:
            return self.head + self.text
        if self.whole and room < self.text.cell_length <= width:
            return self.head.rstrip() + Content("\n") + self.text
        gap = Content("\n" + " " * self.head.cell_length)
        return self.head + gap.join([line.rstrip() for line in self.text.wrap(room)])


@dataclass(frozen=True)
class Hanging(Visual):
    """What a Static, or a line of a list, shows."""

    lines: tuple[Hung, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Hanging | Hung | Content]) -> Hanging:
        """One below the other."""
        lines: list[Hung] = []
        for part in parts:
            if isinstance(part, Hanging):
                lines += part.lines
            else:
                lines.append(part if isinstance(part, Hung) else Hung(Content(), part))
        return cls(tuple(lines))

    def __bool__(self) -> bool:
        return bool(self.lines)

    @property
    def plain(self) -> str:
        """The text, each line whole."""
        return "\n".join(line.head.plain + line.text.plain for line in self.lines)

    def content(self, width: int) -> Content:
        """All lines as they stand in `width` cells."""
        return Content("\n").join([_wrapped(line, width) for line in self.lines])

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        return self.content(width).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return max((line.head.cell_length + line.text.cell_length for line in self.lines), default=0)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.content(width).get_height(rules, width) if self.lines else 0


@lru_cache(maxsize=1024)
def _wrapped(line: Hung, width: int) -> Content:
    """Remembered, because a log grows by a line at a time."""
    return line.content(width)
