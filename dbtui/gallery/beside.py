"""Two runs side by side: what each of them draws at the same step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.events import Sample, Step
from core.runs.grid import Grid, counterpart, grid_of
from core.texts import say
from dbtui.actions import bindings
from dbtui.gallery.large import Move
from dbtui.gallery.sides import Side, Sides
from dbtui.monitor.overlay import others
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question, key_of

if TYPE_CHECKING:
    from core.runs.folder import Run
    from dbtui.gallery.screen import GalleryScreen


class Beside(Sides):
    """This run's preview on the left, on the right the other run's at the nearest step. The arrows move both."""

    BINDINGS = [*bindings("beside")]

    def __init__(self, run: Run, sample: Sample, other: Run, grid: Grid, move: Move) -> None:
        super().__init__()
        self.run, self.sample, self.other, self.grid, self._move = run, sample, other, grid, move

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say("beside.help", "What two runs draw at the same step, with the same prompt and seed where both have "
                   "them: so it shows which settings learn your subject sooner, and which keep the rest.")  # fmt: skip

    @property
    def keys_line(self) -> str:
        return say("beside.keys", "Esc goes back   ← → other steps   ↑ ↓ other prompts")

    def sides(self) -> Iterator[tuple[str, Side]]:
        yield "left", Side(self.sample, self.run.path, self.run.name)
        nearest = counterpart(self.sample, self.grid)
        if nearest is not None:
            yield "right", Side(nearest, self.other.path, self.other.name)

    def action_go(self, rows: int, columns: int) -> None:
        self.sample = self._move(rows, columns) or self.sample
        self.show_sides()


def ask_other_run(gallery: GalleryScreen) -> None:
    """Ask which run, read its previews in a thread, and hold them beside those of the gallery."""

    def ask(found: list[Run]) -> None:
        if not found:
            gallery.notify(say("overlay.none", "There is no other run that was trained."), markup=False)
            return
        runs = {run.name: run for run in found}
        answers = [Answer(name, key_of(number), safe(name)) for number, name in enumerate(runs, 1)]
        question = Question(say("beside.question", "Which run beside {name}?", name=safe(gallery.run.name)),
                            say("beside.text", "Its previews stand beside this one's, step by step."),
                            answers)  # fmt: skip
        gallery.app.push_screen(question, lambda chosen: read(runs[chosen]) if chosen is not None else None)

    def read(other: Run) -> None:
        gallery.ask(lambda: _grid(other), lambda grid: show(other, grid))

    def show(other: Run, grid: Grid) -> None:
        if gallery.sample is None:
            return
        if not grid.cells:
            gallery.notify(say("beside.none", "{name} has no previews.", name=safe(other.name)), markup=False)
            return
        gallery.app.push_screen(Beside(gallery.run, gallery.sample, other, grid, gallery.go), gallery.came_back)

    gallery.ask(lambda: others(gallery.run), ask)


def _grid(run: Run) -> Grid:
    """Raises `UserError` where its journal cannot be read."""
    from core.runs.history import History
    from core.runs.journal import JournalTail

    history = History()
    history.add(event for event in JournalTail(run.journal_path).rest() if not isinstance(event, Step))
    return grid_of(history.samples)
