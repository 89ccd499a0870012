"""The previews: the newest, or any of them; one in full with its prompt, seed and step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from core.events import Sample
from core.texts import UserError
from dbtui.monitor.pane import Pane
from dbtui.monitor.words import QUIET
from dbtui.safe import safe, safe_message

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.runs.history import History

LARGEST = 1024
"""Pixels to which a picture is reduced before it is drawn; no terminal shows more."""


class Picture(Container):
    """One picture file, drawn in this terminal, or the reason why it cannot be."""

    DEFAULT_CSS = """
    Picture { align: center middle; overflow: hidden; }
    Picture > Static { width: 100%; text-align: center; color: $foreground 60%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._path: Path | None = None

    async def show(self, path: Path) -> None:
        """Draw the picture at `path`; nothing happens if it is drawn already."""
        if path == self._path:
            return
        self._path = path
        await self.remove_children()
        try:
            await self.mount(self._widget(path))
        except UserError as error:
            await self.mount(Static(safe_message(error.message), markup=False))

    def _widget(self, path: Path) -> Static | Container:
        from dbtui.widgets.graphics import picture_widget, protocol

        chosen = protocol(os.environ)
        if chosen == "off":
            return Static(safe(path), markup=False)
        return picture_widget(_load(path), chosen, self.app._driver)  # type: ignore[return-value]


def _load(path: Path) -> Image:
    """The picture, decoded and no larger than is worth drawing. Raises `UserError` where it cannot be read."""
    from PIL import Image as pillow

    try:
        with pillow.open(path, formats=("PNG",)) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise UserError(
            "sample.unreadable", "The preview {path} cannot be shown: {reason}.", path=path.name, reason=error
        ) from error
    picture.thumbnail((LARGEST, LARGEST))
    return picture


class SamplesPane(Pane):
    """One preview. It stays with the newest until another one is chosen."""

    title = "Samples"

    def __init__(self, folder: Path) -> None:
        super().__init__("samples")
        self._folder = folder
        self._samples: list[Sample] = []
        self._chosen: int | None = None
        self._said = ("", "")

    def compose(self) -> ComposeResult:
        yield Static("No previews yet.", id="sample-title", markup=False)
        yield Picture()
        yield Static("", id="sample-prompt", markup=False)

    @property
    def sample(self) -> Sample | None:
        """The preview that is shown."""
        if not self._samples:
            return None
        return self._samples[-1 if self._chosen is None else self._chosen]

    @property
    def path(self) -> Path | None:
        return None if self.sample is None else self._folder / self.sample.path

    @property
    def place(self) -> str:
        """Which of how many is shown: `2 of 5`."""
        number = len(self._samples) if self._chosen is None else self._chosen + 1
        return f"{number} of {len(self._samples)}"

    def turn(self, by: int) -> None:
        """Show the preview `by` places later; at the newest one, follow it again."""
        last = len(self._samples) - 1
        now = last if self._chosen is None else self._chosen
        wanted = min(last, max(0, now + by))
        self._chosen = None if wanted >= last else wanted

    async def tell(self, history: History) -> None:
        self._samples = list(history.samples)
        sample, path = self.sample, self.path
        if sample is None or path is None or not self.is_seen:
            return
        turns = "  ← →" if len(self._samples) > 1 else ""
        place, seed = f"step {sample.step:,}  {self.place}", f"  seed {sample.seed}"
        title = place + turns + seed if len(place + turns + seed) <= self.content_size.width else place + seed
        if self._said != (title, sample.prompt):
            self._said = (title, sample.prompt)
            self.query_one("#sample-title", Static).update(Content(title), layout=False)
            self.query_one("#sample-prompt", Static).update(Content(safe(sample.prompt)))
        await self.query_one(Picture).show(path)


class SampleScreen(ModalScreen[None]):
    """The preview that `pane` shows, as large as the terminal, with its prompt, seed, step and path.

    Going to another one here goes there in the pane too.
    """

    BINDINGS = [
        Binding("escape,enter,q,h,1,2,3,4,5", "dismiss(None)", "Close", tooltip="Back to the monitor."),
        Binding("left,[,left_square_bracket", "turn(-1)", "Earlier", tooltip="The preview before this one."),
        Binding("right,],right_square_bracket", "turn(1)", "Later", tooltip="The preview after this one."),
        Binding("y", "copy_path", "Copy path", tooltip="Copies the path of the preview."),
    ]

    def __init__(self, pane: SamplesPane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        with Vertical(id="sample-in-full"):
            yield Picture()
            yield Static(id="sample-about", markup=False)
            yield Static(Content.styled("Esc goes back   ← → other previews   y copies the path", QUIET), markup=False)

    async def on_mount(self) -> None:
        await self._show()

    async def _show(self) -> None:
        sample, path = self.pane.sample, self.pane.path
        if sample is None or path is None:
            return
        about = f"step {sample.step:,}   {self.pane.place}   seed {sample.seed}"
        if sample.concept:
            about += f"   {safe(sample.concept)}"
        lines = Content(f"{about}\n{safe(sample.prompt)}\n") + Content.styled(safe(path), QUIET)
        self.query_one("#sample-about", Static).update(lines)
        await self.query_one(Picture).show(path)

    async def action_turn(self, by: int) -> None:
        self.pane.turn(by)
        await self._show()

    def action_copy_path(self) -> None:
        if self.pane.path is not None:
            copy_path(self, self.pane.path)


def copy_path(screen: Screen[None], path: Path) -> None:
    screen.app.copy_to_clipboard(os.fspath(path))
    screen.notify(safe(path), title="Copied, if this terminal allows it", markup=False)
