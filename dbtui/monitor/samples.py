"""The previews: the newest, or any of them; in full with prompt, seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.events import Sample
from core.texts import say
from dbtui.actions import binding
from dbtui.copying import copy
from dbtui.monitor.pane import Pane
from dbtui.monitor.sheets import Sheet, draw_sheet, sheets_of
from dbtui.monitor.words import QUIET, recognised
from dbtui.safe import safe
from dbtui.widgets.picture import Picture
from dbtui.widths import centred, fitted, flush_right

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.runs.history import History


def show_sheet(picture: Picture, sheet: Sheet, folder: Path) -> None:
    """Draw the sheet of the run in `folder`; nothing happens if it is drawn already as it fits there."""

    def draw(place: tuple[int, int]) -> Image:
        return draw_sheet(sheet, folder, sheet.rows(place[0], place[1] // 2))

    picture.show(sheet.pictures, draw, str(folder / sheet.path))


class SamplesPane(Pane):
    """One sheet of previews. It stays with the newest until another one is chosen. Until there is any, `learned` is
    shown: pictures that the run learns from.
    """

    def __init__(self, folder: Path, learned: Sequence[Path] = ()) -> None:
        super().__init__("samples")
        self.folder = folder
        self._learned = Sheet(tuple(Sample(step=0, path=str(path), prompt="", seed=0) for path in learned))
        self._sheets: list[Sheet] = []
        self._chosen: int | None = None
        self._said: tuple[str, Content] | None = None

    def compose(self) -> ComposeResult:
        yield Static(say("samples.none", "No previews yet."), id="sample-title", markup=False)
        yield Static("", id="sample-prompt", markup=False)
        yield Picture()

    @property
    def sheet(self) -> Sheet | None:
        """What is shown."""
        if not self._sheets:
            return None
        return self._sheets[-1 if self._chosen is None else self._chosen]

    @property
    def sample(self) -> Sample | None:
        """The preview that is shown, or the first of them."""
        return None if self.sheet is None else self.sheet.first

    @property
    def path(self) -> Path | None:
        return None if self.sheet is None else self.folder / self.sheet.path

    @property
    def place(self) -> str:
        """Which of how many is shown: `2 of 5`."""
        number = len(self._sheets) if self._chosen is None else self._chosen + 1
        return say("samples.place", "{number} of {count}", number=number, count=len(self._sheets))

    def turn(self, by: int) -> None:
        """Show what is `by` places later; at the newest, follow it again."""
        last = len(self._sheets) - 1
        now = last if self._chosen is None else self._chosen
        wanted = min(last, max(0, now + by))
        self._chosen = None if wanted >= last else wanted

    async def tell(self, history: History) -> None:
        self._sheets = whole_sheets(history)
        await super().tell(history)

    async def draw(self, history: History) -> None:
        sheet, sample = self.sheet, self.sample
        if sheet is None or sample is None:
            if self._learned.subject:
                learned = say("samples.learned", "No previews yet. This is what it learns from:")
                self.query_one("#sample-title", Static).update(learned)
                show_sheet(self.query_one(Picture), self._learned, self.folder)
            return
        turns = "  ← →" if len(self._sheets) > 1 else ""
        place = f"{say('samples.step', 'step {step:,}', step=sample.step)}  {self.place}"
        seed = f"  {say('samples.seed', 'seed {seed}', seed=sample.seed)}"
        title = place + turns + seed if cell_len(place + turns + seed) <= self.content_size.width else place + seed
        prompts = prompts_of(sheet, *self.query_one(Picture).size)
        if self._said != (title, prompts):
            self._said = (title, prompts)
            self.query_one("#sample-title", Static).update(Content(title), layout=False)
            self.query_one("#sample-prompt", Static).update(prompts)
        show_sheet(self.query_one(Picture), sheet, self.folder)


def whole_sheets(history: History) -> list[Sheet]:
    """The sheets so far; one with the class beside the subject only once all of it is made."""
    sheets = sheets_of(history.samples)
    phase = history.phase
    is_made = phase is None or phase.name != "sampling" or phase.done >= phase.total
    if len(sheets) > 1 and not is_made and any(sheet.plain for sheet in sheets):
        newest = sheets[-1].first
        finished = [
            sheet for sheet in sheets if (sheet.first.step, sheet.first.concept) != (newest.step, newest.concept)
        ]
        before = [sheet for sheet in finished if sheet.first.concept == newest.concept]
        made = sum(len(sheet.pictures) for sheet in sheets[len(finished) :])
        if finished and not (before and made >= len(before[-1].pictures)):
            return finished
    return sheets


def prompts_of(sheet: Sheet, width: int, lines: int) -> Content:
    """The prompt; where the class is beside it, each under its half of a picture of `width` × `lines` cells, and how
    much the demo's recogniser takes each for the subject.
    """
    subject = safe(sheet.first.prompt)
    if not sheet.plain:
        return Content(subject)
    plain = safe(sheet.plain[0].prompt)
    half = (width - 3) // 2
    if max(cell_len(subject), cell_len(plain)) > half:
        return Content(say("samples.sides", "left: {left}\nright: {right}", left=subject, right=plain))
    under = min(half, sheet.half_width(width, lines))
    rows = [(subject, plain)]
    left, right = (likeness_of(samples) for samples in (sheet.subject, sheet.plain))
    if left is not None and right is not None:
        rows.append((recognised(left, under), recognised(right, under)))
    return Content("\n".join(
        f"{flush_right(centred(one, under), half)} │ {fitted(centred(other, under), half)}" for one, other in rows
    ))  # fmt: skip


def likeness_of(samples: Sequence[Sample]) -> float | None:
    """The mean of what is known, from 0 to 1."""
    known = [sample.likeness for sample in samples if sample.likeness is not None]
    return sum(known) / len(known) if known else None


class SampleScreen(ModalScreen[None]):
    """What `pane` shows, as large as the terminal, with prompt, seed, step and path.

    Going to another one here goes there in the pane too.
    """

    BINDINGS = [
        binding("picture.close", "escape,enter,q,h,1,2,3,4,5", "dismiss(None)", "Close", "Back to the monitor."),
        binding("picture.earlier", "left,[,left_square_bracket", "turn(-1)", "Earlier", "The preview before this one."),
        binding("picture.later", "right,],right_square_bracket", "turn(1)", "Later", "The preview after this one."),
        binding("picture.copy", "y", "copy_path", "Copy path", "Copies the path of the preview."),
    ]

    def __init__(self, pane: SamplesPane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        with Vertical(id="sample-in-full"):
            yield Picture()
            yield Static(id="sample-about", markup=False)
            keys = say("samples.keys", "Esc goes back   ← → other previews   y copies the path")
            yield Static(Content.styled(keys, QUIET), markup=False)

    async def on_mount(self) -> None:
        await self._show()

    async def _show(self) -> None:
        sheet, sample, path = self.pane.sheet, self.pane.sample, self.pane.path
        if sheet is None or sample is None or path is None:
            return
        step = say("samples.step", "step {step:,}", step=sample.step)
        about = f"{step}   {self.pane.place}   {say('samples.seed', 'seed {seed}', seed=sample.seed)}"
        if sample.concept:
            about += f"   {say('samples.concept', 'subject {name}', name=safe(sample.concept))}"
        lines = Content("\n").join([prompts_of(sheet, *self.query_one(Picture).size), Content(about),
                                    Content.styled(safe(path), QUIET)])  # fmt: skip
        self.query_one("#sample-about", Static).update(lines)
        show_sheet(self.query_one(Picture), sheet, self.pane.folder)

    async def action_turn(self, by: int) -> None:
        self.pane.turn(by)
        await self._show()

    def action_copy_path(self) -> None:
        if self.pane.path is not None:
            copy(self, self.pane.path)
