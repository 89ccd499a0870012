"""The gallery of one run, alive or over. It reads the journal in a thread, and pictures only as they are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ActiveBinding
from textual.widgets import Static

from core.best import best_step, mark_best
from core.events import Sample, Step
from core.files import explain
from core.runs.folder import saved_steps
from core.runs.grid import Grid, grid_of, nearest
from core.runs.history import History
from core.runs.journal import JournalTail
from core.texts import UserError, joined, say
from dbtui.actions import as_fits, bindings, shown_as
from dbtui.copying import copy
from dbtui.gallery.cells import Cell, by_step, without_previews
from dbtui.gallery.large import Large, facts_of
from dbtui.gallery.layout import Layout, layout, window
from dbtui.gallery.sides import Compare
from dbtui.monitor.after import export_step
from dbtui.monitor.words import recognised, with_recogniser
from dbtui.safe import safe, safe_message
from dbtui.widgets.footer import Footer
from dbtui.widgets.title import TitleBar
from dbtui.working import Working

if TYPE_CHECKING:
    from core.runs.folder import Run

REFRESH_SECONDS = 4.0
AROUND = 7
"""Lines of the title, the keys and what is told of the focused preview."""


class GalleryScreen(Working):
    """The cursor is a row and a column of the grid; `chosen` are up to two previews that are to be compared."""

    CSS_PATH = "gallery.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("gallery")]
    AUTO_FOCUS = ""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.grid = Grid()
        self.cursor = (0, 0)
        self.chosen: list[Sample] = []
        self.best: int | None = None
        self.saved: list[int] = []
        self._history = History()
        self._tail = JournalTail(run.journal_path)
        self._was_read = False
        self._first = (0, 0)
        self._layout: Layout | None = None
        self._trouble = ""

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        said = say(
            "gallery.help",
            "Every preview of the run. A row is one prompt, always with the same seed, so from left to right only what "
            "was learned changes.\n\n"
            "Look for the step at which your subject is right and everything else still follows the prompt; later ones "
            "often only copy your pictures. Mark it with m and export it with e.",
        )
        return with_recogniser(said, self.sample)

    def compose(self) -> ComposeResult:
        yield TitleBar(say("gallery.title", "Gallery of {name}", name=safe(self.run.name)))
        yield Vertical(id="gallery")
        yield Static("", id="gallery-about", markup=False)
        yield Static("", id="gallery-empty", markup=False)
        yield Footer()

    async def in_other_words(self) -> None:
        """The language has changed."""
        self._layout = None
        await self.recompose()
        await self._arrange()

    def on_mount(self) -> None:
        self._timer = self.set_interval(REFRESH_SECONDS, self.look)
        self.look()

    def on_screen_suspend(self) -> None:
        self._timer.pause()

    def on_screen_resume(self) -> None:
        if hasattr(self, "_timer"):
            self._timer.resume()

    async def on_resize(self) -> None:
        await self._arrange()

    # --- reading ------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read in a thread what the journal has gained."""
        self.read(self._read, lambda found: self._seen(*found))

    def _read(self) -> tuple[Grid, int | None, list[int], str]:
        """The previews, the best step, the saved ones, and what is wrong with the journal."""
        trouble = ""
        try:
            self._history.add(event for event in self._tail.rest() if not isinstance(event, Step))
        except UserError as error:
            trouble = safe_message(error.message)
        return grid_of(self._history.samples), best_step(self.run.path), saved_steps(self.run.path), trouble

    async def _seen(self, grid: Grid, best: int | None, saved: list[int], trouble: str) -> None:
        if not self.is_attached:
            return
        before, first_time = self.sample, not self._was_read
        self._was_read = True
        self.grid, self.best, self.saved, self._trouble = grid, best, saved, trouble
        if first_time:
            self.cursor = (0, max(0, len(grid.steps) - 1))
        elif before is not None and before.step in grid.steps:
            self.cursor = (min(self.cursor[0], len(grid.rows) - 1), grid.steps.index(before.step))
        self.chosen = [sample for sample in self.chosen if sample in grid.cells.values()]
        await self._arrange()

    # --- drawing ------------------------------------------------------------------------------------------------

    @property
    def sample(self) -> Sample | None:
        """The preview that is focused."""
        return self.grid.at(*self.cursor)

    @property
    def step(self) -> int | None:
        """The step of the column that is focused."""
        column = self.cursor[1]
        return self.grid.steps[column] if column < len(self.grid.steps) else None

    async def _arrange(self) -> None:
        """Make as many places as fit, if that has changed, and fill them."""
        rows, columns = len(self.grid.rows), len(self.grid.steps)
        self.set_class(not columns, "-empty")
        if not columns:
            empty = without_previews(ended=self._history.ending is not None)
            self.query_one("#gallery-empty", Static).update(self._trouble or (empty if self._was_read else ""))
            return
        wanted = layout(self.size.width - 2, self.size.height - AROUND, rows, columns)
        if wanted != self._layout:
            self._layout = wanted
            gallery = self.query_one("#gallery")
            async with gallery.batch():
                await gallery.remove_children()
                await gallery.mount_all(self._row(row, wanted) for row in range(wanted.rows))
        self._fill()

    def _row(self, row: int, found: Layout) -> Vertical:
        cells = [Cell((row, column), found.width, found.height) for column in range(found.columns)]
        return Vertical(Static("", classes="row-prompt", markup=False), Horizontal(*cells), classes="row")

    def _fill(self) -> None:
        assert self._layout is not None
        (row, column), (first_row, first_column) = self.cursor, self._first
        rows, columns = len(self.grid.rows), len(self.grid.steps)
        first_row = window(row, first_row, self._layout.rows, rows)
        first_column = window(column, first_column, self._layout.columns, columns)
        self._first = first_row, first_column
        for number, prompt in enumerate(self.query(".row-prompt").results(Static)):
            prompt.update(self._heading(first_row + number))
        chosen = by_step(self.chosen)
        for cell in self.query(Cell):
            at = first_row + cell.place[0], first_column + cell.place[1]
            sample = self.grid.at(*at)
            step = self.grid.steps[at[1]] if at[1] < columns and at[0] < rows else None
            compared = chosen.index(sample) + 1 if sample in chosen else 0  # type: ignore[arg-type]
            cell.show(sample, self.run.path, step=step, focused=at == self.cursor, compared=compared,
                      best=step is not None and step == self.best)  # fmt: skip
        self.query_one("#gallery-about", Static).update(self._about())
        self.query_one(TitleBar).aside = self._where()
        self.refresh_bindings()

    def _heading(self, row: int) -> Content:
        if row >= len(self.grid.rows):
            return Content("")
        known = self.grid.rows[row]
        seed = say("samples.seed", "seed {seed}", seed=known.seed)
        return Content.assemble(safe(known.prompt), (f"   {seed}", "$foreground 60%"))

    def _where(self) -> str:
        place = say("samples.place", "{number} of {count}", number=self.cursor[1] + 1, count=len(self.grid.steps))
        steps = say("gallery.column", "step {place}", place=place)
        if len(self.grid.rows) < 2:
            return steps
        place = say("samples.place", "{number} of {count}", number=self.cursor[0] + 1, count=len(self.grid.rows))
        return f"{say('gallery.row', 'prompt {place}', place=place)}  {steps} "

    def _about(self) -> Content:
        """The focused preview in full, whether its step can be exported, which step is the best."""
        lines: list[Content] = []
        sample, step = self.sample, self.step
        if sample is not None:
            facts = facts_of(sample)
            if sample.likeness is not None:
                facts += f"   {recognised(sample.likeness)}"
            lines += [Content.styled(safe(sample.prompt), "$foreground"), Content(facts)]
        if step is not None:
            saved = say("gallery.saved", "The state of this step is saved: e exports it.")
            near = say("gallery.none-saved", "No state was saved at this step, nor at any other so far.")
            if self.saved:
                near = say("gallery.not-saved", "No state was saved at this step. Saved: {steps}.",
                           steps=joined(f"{known:,}" for known in self.saved))  # fmt: skip
            lines.append(Content(saved if step in self.saved else near))
        if self.best is not None:
            best = say("gallery.best", "Marked as the best: step {step:,}.", step=self.best)
            if self.best not in self.saved:
                best = say("gallery.best-not-saved", "Marked as the best: step {step:,}, which cannot be exported: it "
                           "was not saved.", step=self.best)  # fmt: skip
            lines.append(Content(best))
        if self._trouble:
            lines.append(Content.styled(self._trouble, "$error"))
        return Content("\n").join(lines)

    # --- keys ---------------------------------------------------------------------------------------------------

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """How to use it stands in the footer where there is room, and something was drawn by it."""
        active = super().active_bindings
        if not self.grid.steps:
            return shown_as(active, {"use": False})
        return as_fits(self.app, active, ["use", "overlay"], self.size.width)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("move", "best", "export"):
            return bool(self.grid.steps)
        if action in ("open", "choose", "overlay", "copy_path"):
            return self.sample is not None
        if action == "compare":
            return self._pair() is not None
        return True

    def action_move(self, rows: int, columns: int) -> None:
        """So many places; what is beyond an edge is the edge."""
        row = min(max(0, self.cursor[0] + rows), len(self.grid.rows) - 1)
        column = min(max(0, self.cursor[1] + columns), len(self.grid.steps) - 1)
        self.cursor = row, column
        self._fill()

    def action_page(self, direction: int) -> None:
        """As many steps as are seen at once."""
        if self._layout is not None and self.grid.steps:
            self.action_move(0, direction * self._layout.columns)

    def on_cell_clicked(self, event: Cell.Clicked) -> None:
        row, column = self._first[0] + event.place[0], self._first[1] + event.place[1]
        if row < len(self.grid.rows) and column < len(self.grid.steps):
            self.cursor = row, column
            self._fill()
            if event.times > 1:
                self.action_open()

    def action_open(self) -> None:
        sample = self.sample
        if sample is not None:
            self.app.push_screen(Large(sample, self.run.path, self.go, self), self.came_back)

    def go(self, rows: int, columns: int) -> Sample | None:
        """Moves to the next preview in that direction, if there is one; the one that is focused then."""
        sample = self.sample
        self.cursor = self._beside(*self.cursor, rows, columns)
        return self.sample or sample

    def _beside(self, row: int, column: int, rows: int, columns: int) -> tuple[int, int]:
        """The next place in that direction that holds a preview; the same place where there is none."""
        place = row + rows, column + columns
        while 0 <= place[0] < len(self.grid.rows) and 0 <= place[1] < len(self.grid.steps):
            if self.grid.at(*place) is not None:
                return place
            place = place[0] + rows, place[1] + columns
        return row, column

    async def came_back(self, wish: str | None) -> None:
        """From a screen over this one that may have moved, with what is to be done."""
        self._fill()
        if wish == "export":
            self.action_export()

    def action_choose(self) -> None:
        """Two previews to compare; a third one takes the place of the first."""
        sample = self.sample
        if sample is None:
            return
        if sample in self.chosen:
            self.chosen.remove(sample)
        else:
            self.chosen = [*self.chosen[-1:], sample]
        self._fill()

    def _pair(self) -> tuple[Sample, Sample] | None:
        """The earlier first: the two that are chosen; with one, that and the focused; with none, the focused and the
        step before.
        """
        sample = self.sample
        two = [*self.chosen, sample][:2] if sample is not None else self.chosen
        if len(two) == 2 and two[0] is not two[1]:
            left, right = by_step(two)
            return left, right
        for direction in (-1, 1):
            other = self.grid.at(*self._beside(*self.cursor, 0, direction))
            if sample is not None and other is not None and other is not sample:
                return (other, sample) if direction < 0 else (sample, other)
        return None

    def action_compare(self) -> None:
        pair = self._pair()
        if pair is not None:
            self.app.push_screen(Compare(*pair, self.run.path, self._move))

    def _move(self, sample: Sample, rows: int, columns: int) -> Sample:
        place = next((place for place, held in self.grid.cells.items() if held is sample), None)
        if place is None:
            return sample
        row, column = self.grid.rows.index(place[0]), self.grid.steps.index(place[1])
        return self.grid.at(*self._beside(row, column, rows, columns)) or sample

    def action_overlay(self) -> None:
        from dbtui.gallery.beside import ask_other_run

        ask_other_run(self)

    def action_best(self) -> None:
        """Mark the focused step, or take its mark away."""
        self.mark(lambda: None)

    def mark(self, then: Callable[[], object]) -> None:
        """The same; `then` is called once it is done."""
        step, before = self.step, self.best
        if step is None:
            return
        wanted = None if step == before else step

        def mark() -> None:
            try:
                mark_best(self.run.path, wanted)
            except OSError as error:
                raise explain(error, self.run.path) from error

        def marked(_: None) -> None:
            self.best = wanted
            self._told_of_mark(wanted, before)
            if self.is_attached:
                self._fill()
            then()

        self.alone(mark, marked)

    def _told_of_mark(self, step: int | None, before: int | None) -> None:
        """Whether the step can be exported, and which ones can where it cannot; what became of the mark `before`."""
        gone = ""
        if before is not None:
            gone = say("gallery.unmarked", "Step {step:,} is no longer marked.", step=before)
        if step is None:
            self.notify(gone, timeout=3, markup=False)
            return
        if step in self.saved:
            kept = say("gallery.kept", "Step {step:,} is marked as the best; its saved state is kept.", step=step)
            self.notify(f"{kept}\n{gone}".rstrip(), timeout=5 if gone else 3, markup=False)
            return
        told = say("gallery.marked-not-saved", "Step {step:,} is marked, but no state was saved at it: it cannot be "
                   "exported.", step=step)  # fmt: skip
        near = ""
        if self.saved:
            near = say("gallery.marked-near", "Saved nearby: {steps}. e offers that, or mark it instead.",
                       steps=joined(f"{known:,}" for known in nearest(self.saved, step)))  # fmt: skip
        lines = "\n".join(line for line in (told, near, gone) if line)
        self.notify(lines, timeout=8, markup=False)

    def action_export(self) -> None:
        if self.step is not None:
            export_step(self, self.run, self.step, self.saved)

    def action_use(self) -> None:
        from dbtui.monitor.using import open_using

        open_using(self, self.run)

    def action_copy_path(self) -> None:
        if self.sample is not None:
            copy(self, self.run.path / self.sample.path)

    def action_close(self) -> None:
        self.dismiss(None)
