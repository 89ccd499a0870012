"""The previews of a run in rows and columns: a row is one prompt with one seed, a column a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.events import Sample


@dataclass(frozen=True)
class Row:
    """What stays the same from step to step. `of_class`: the plain class, drawn for comparison."""

    prompt: str
    seed: int
    concept: str = ""
    of_class: bool = False


@dataclass(frozen=True)
class Grid:
    """`rows` in the order in which they were first made, `steps` rising."""

    rows: tuple[Row, ...] = ()
    steps: tuple[int, ...] = ()
    cells: Mapping[tuple[Row, int], Sample] = field(default_factory=dict)

    def at(self, row: int, column: int) -> Sample | None:
        """The preview there; `None` where that prompt was not drawn at that step, and outside."""
        if not (0 <= row < len(self.rows) and 0 <= column < len(self.steps)):
            return None
        return self.cells.get((self.rows[row], self.steps[column]))


def grid_of(samples: Iterable[Sample]) -> Grid:
    """Of two previews in the same place the later one counts."""
    cells = {(Row(sample.prompt, sample.seed, sample.concept, sample.of_class), sample.step): sample
             for sample in samples}  # fmt: skip
    rows = tuple(dict.fromkeys(row for row, _ in cells))
    return Grid(rows, tuple(sorted({step for _, step in cells})), cells)


def nearest(steps: Iterable[int], wanted: int) -> list[int]:
    """`wanted` if it is among `steps`, otherwise the ones right before and after it."""
    known = sorted(steps)
    if wanted in known:
        return [wanted]
    before, after = [step for step in known if step < wanted], [step for step in known if step > wanted]
    return before[-1:] + after[:1]


def counterpart(sample: Sample, other: Grid) -> Sample | None:
    """The preview of another run that is best held beside `sample`: of the subject or the class like it, of the same
    prompt and seed where there is one, then of the nearest step; `None` where there is no preview.
    """
    return min(
        other.cells.values(),
        key=lambda held: (held.of_class != sample.of_class, held.prompt != sample.prompt, held.seed != sample.seed,
                          abs(held.step - sample.step), -held.step),
        default=None,
    )  # fmt: skip
