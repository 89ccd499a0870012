"""Two previews side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.events import Sample
from core.texts import say
from dbtui.actions import bindings
from dbtui.gallery.large import facts_of
from dbtui.gallery.pictures import reader
from dbtui.monitor.words import QUIET
from dbtui.safe import safe
from dbtui.widgets.picture import Picture


@dataclass(frozen=True)
class Side:
    """A preview in the folder of its run; `run` names that run where the two sides are of two."""

    sample: Sample
    folder: Path
    run: str = ""


class Sides(ModalScreen[None]):
    """The left and the right preview with their facts, and below them the keys."""

    @property
    def keys_line(self) -> str:
        raise NotImplementedError

    def sides(self) -> Iterator[tuple[str, Side]]:
        """What is to be seen on the `left` and on the `right`; a side that is not named stays as it is."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(id="compare"):
            with Horizontal(id="compare-pictures"):
                for place in ("left", "right"):
                    with Vertical(id=f"compare-{place}"):
                        yield Picture()
                        yield Static("", markup=False)
            yield Static(Content.styled(self.keys_line, QUIET), markup=False)

    def on_mount(self) -> None:
        self.show_sides()

    def on_resize(self) -> None:
        self.show_sides()

    def show_sides(self) -> None:
        half = (self.app.size.width - 4) // 2
        for place, side in self.sides():
            path = side.folder / side.sample.path
            self.query_one(f"#compare-{place} Picture", Picture).show((path,), reader(path), str(path))
            about = Content(facts_of(side.sample, half)).stylize("bold") + "\n" + Content(safe(side.sample.prompt))
            if side.run:
                about = Content(safe(side.run)).stylize("bold $accent") + "\n" + about
            self.query_one(f"#compare-{place} > Static", Static).update(about)

    def action_close(self) -> None:
        self.dismiss(None)


class Compare(Sides):
    """Two previews of one run. The arrows change the right one, x swaps them."""

    BINDINGS = [*bindings("compare")]

    def __init__(self, left: Sample, right: Sample, folder: Path, move: Callable[[Sample, int, int], Sample]) -> None:
        super().__init__()
        self.left, self.right, self.folder, self._move = left, right, folder, move

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say("gallery.compare-help", "Two previews of this run. The left one stays; the arrows change the right "
                   "one. To hold another run beside this one, press o in the gallery.")  # fmt: skip

    @property
    def keys_line(self) -> str:
        return say("gallery.compare-keys", "Esc goes back   ← → other steps on the right   ↑ ↓ other prompts   "
                   "x swaps")  # fmt: skip

    def sides(self) -> Iterator[tuple[str, Side]]:
        yield "left", Side(self.left, self.folder)
        yield "right", Side(self.right, self.folder)

    def action_go(self, rows: int, columns: int) -> None:
        self.right = self._move(self.right, rows, columns)
        self.show_sides()

    def action_swap(self) -> None:
        self.left, self.right = self.right, self.left
        self.show_sides()
