"""Previews that belong together: those of one concept at one step, the subject's beside the plain class's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from core.events import Sample
from core.reasons import of_system
from core.texts import UserError, say

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 1024
"""Pixels to which a picture is reduced before it is drawn; no terminal shows more."""
GAP, MIDDLE = 1 / 24, 1 / 6
"""Between two pictures, and between the subject's and the class's, in sides of a picture."""


@dataclass(frozen=True)
class Sheet:
    """What is looked at as one: a single preview, or with the class beside it all that were made together.

    Paths are relative to the run's folder, or absolute.
    """

    subject: tuple[Sample, ...]
    plain: tuple[Sample, ...] = ()

    @property
    def first(self) -> Sample:
        return self.halves[0][0]

    @property
    def halves(self) -> tuple[tuple[Sample, ...], ...]:
        """What stands beside each other: the subject's and the class's, or only one of them."""
        return tuple(half for half in (self.subject, self.plain) if half)

    @property
    def path(self) -> Path:
        """Of the picture, or of the folder that holds all of them."""
        path = Path(self.first.path)
        return path.parent if len(self.pictures) > 1 else path

    @property
    def pictures(self) -> tuple[str, ...]:
        return tuple(sample.path for half in self.halves for sample in half)

    def rows(self, columns: int, lines: int) -> int:
        """In how many rows the pictures are largest in that many character cells, each twice as high as wide."""
        most = max(len(half) for half in self.halves)
        return max(range(1, most + 1), key=lambda rows: self._side(rows, columns, lines))

    def half_width(self, columns: int, lines: int) -> int:
        """The cells that one half is wide in that place."""
        rows = self.rows(columns, lines)
        return round(self._side(rows, columns, lines) * self._across(rows))

    def _side(self, rows: int, columns: int, lines: int) -> float:
        """Of one picture, in cells across."""
        width = len(self.halves) * self._across(rows) + MIDDLE * (len(self.halves) - 1)
        return min(columns / width, 2 * lines / (rows + GAP * (rows - 1)))

    def _across(self, rows: int) -> float:
        """One half's width, in sides of a picture."""
        pictures = -(-max(len(half) for half in self.halves) // rows)
        return pictures + GAP * (pictures - 1)


def sheets_of(samples: Iterable[Sample]) -> list[Sheet]:
    """In the order in which they were made, one that was made once more in the place of the first. Without the class's
    each preview is a sheet of its own.
    """
    samples = {(one.step, one.concept, one.prompt, one.seed, one.of_class): one for one in samples}.values()
    found: list[Sheet] = []
    for _, group in groupby(samples, key=lambda sample: (sample.step, sample.concept)):
        together = list(group)
        plain = tuple(sample for sample in together if sample.of_class)
        subject = tuple(sample for sample in together if not sample.of_class)
        found += [Sheet(subject, plain)] if plain else [Sheet((sample,)) for sample in subject]
    return found


def draw_sheet(sheet: Sheet, folder: Path, rows: int) -> Image:
    """The pictures as one: the subject's on the left, the class's on the right, each half in `rows` rows; what is
    between them is transparent.

    Raises `UserError` where one cannot be read.
    """
    from PIL import Image as pillow

    halves = [[load_preview(folder / sample.path) for sample in half] for half in sheet.halves]
    if len(sheet.pictures) == 1:
        return halves[0][0]
    side = min(max(picture.size) for half in halves for picture in half)
    gap, middle = max(1, round(side * GAP)), max(2, round(side * MIDDLE))
    across = -(-max(len(half) for half in halves) // rows)
    width = across * side + (across - 1) * gap
    size = (len(halves) * (width + middle) - middle, rows * side + (rows - 1) * gap)
    whole = pillow.new("RGBA", size, (0, 0, 0, 0))
    for place, half in enumerate(halves):
        for number, picture in enumerate(half):
            row, column = divmod(number, across)
            picture.thumbnail((side, side))
            whole.paste(picture, (place * (width + middle) + column * (side + gap), row * (side + gap)))
    whole.thumbnail((LARGEST, LARGEST))
    return whole


def load_preview(path: Path) -> Image:
    """The picture, decoded and no larger than is worth drawing."""
    from PIL import Image as pillow

    try:
        with pillow.open(path, formats=("PNG",)) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        no_system = not isinstance(error, OSError) or error.errno is None
        reason = say("sample.damaged", "it is damaged, or no PNG file") if no_system else of_system(error)
        raise UserError(
            "sample.unreadable", "The preview {path} cannot be shown: {reason}.", path=path.name, reason=reason
        ) from error
    picture.thumbnail((LARGEST, LARGEST))
    return picture
