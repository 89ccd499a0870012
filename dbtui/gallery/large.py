"""One preview of the gallery as large as the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.events import Sample
from core.texts import say
from dbtui.actions import bindings
from dbtui.copying import copy
from dbtui.gallery.pictures import reader
from dbtui.monitor.words import QUIET
from dbtui.safe import safe
from dbtui.widgets.picture import Picture

Move = Callable[[int, int], Sample | None]
"""Goes so many rows and columns on, where there is a preview; returns the one that it is at then."""


def facts_of(sample: Sample, width: int | None = None) -> str:
    """Step, seed and concept; in one line, or in as many of `width` cells as they need, none of them broken. A concept
    is called one where there is room for it.
    """
    told = [
        say("samples.step", "step {step:,}", step=sample.step),
        *([say("gallery.class", "the plain class")] if sample.of_class else []),
        say("samples.seed", "seed {seed}", seed=sample.seed),
    ]
    concept = safe(sample.concept)
    called = say("samples.concept", "subject {name}", name=concept)
    if concept:
        told.append(called if width is None or cell_len("   ".join([*told, called])) <= width else concept)
    lines = told[:1]
    for fact in told[1:]:
        longer = f"{lines[-1]}   {fact}"
        if width is None or cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fact)
    return "\n".join(lines)


class Marks(Protocol):
    """Who knows which step is the best, and lets it be marked."""

    best: int | None

    def mark(self, then: Callable[[], object]) -> None:
        """Mark the focused step, or take its mark away; `then` is called once it is done."""


class Large(ModalScreen[str | None]):
    """Dismissed with `export` where the preview is to be exported, `None` for nothing."""

    BINDINGS = [*bindings("large")]

    def __init__(self, sample: Sample, folder: Path, move: Move, marks: Marks) -> None:
        super().__init__()
        self.sample, self.folder, self._move, self._marks = sample, folder, move, marks

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say("gallery.large-help", "One preview as large as the terminal. From step to step only what was "
                   "learned changes: prompt and seed stay the same.")  # fmt: skip

    def compose(self) -> ComposeResult:
        with Vertical(id="large"):
            yield Picture()
            yield Static("", id="large-about", markup=False)
            keys = say(
                "gallery.large-keys", "Esc goes back   ← → steps   ↑ ↓ prompts   m best   e export   y copy path"
            )
            yield Static(Content.styled(keys, QUIET), markup=False)

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        path = self.folder / self.sample.path
        about = f"{safe(self.sample.prompt)}\n{facts_of(self.sample)}"
        if self.sample.step == self._marks.best:
            about += f"   {say('gallery.marked', 'marked as the best')}"
        self.query_one("#large-about", Static).update(
            Content(about) + "\n" + Content.styled(safe(self.sample.path), QUIET))  # fmt: skip
        self.query_one(Picture).show((path,), reader(path), str(path))

    def action_go(self, rows: int, columns: int) -> None:
        self.sample = self._move(rows, columns) or self.sample
        self._show()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_best(self) -> None:
        self._marks.mark(lambda: self._show() if self.is_attached else None)

    def action_export(self) -> None:
        self.dismiss("export")

    def action_copy_path(self) -> None:
        copy(self, self.folder / self.sample.path)
