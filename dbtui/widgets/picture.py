"""A picture as large as its place allows: read and made small in a thread, drawn the way this terminal can."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.color import Color
from textual.containers import Container
from textual.widgets import Static

from core.texts import UserError
from dbtui.faults import told
from dbtui.safe import safe, safe_message
from dbtui.widgets.graphics import VARIABLE, cell_size, picture_widget, pixels, prepare, protocol
from dbtui.widgets.halfcell import HalfCells, half_cells

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.app import App
    from textual.strip import Strip
    from textual.widget import Widget

    from dbtui.app import DbtuiApp

Draw = Callable[[tuple[int, int]], "Image | None"]
"""Makes the picture, in a thread, for a place of so many pixels; it may be larger or smaller. `None` leaves the place
empty. Raises `UserError`.
"""


class Picture(Container):
    """Shows one picture, or in words why it cannot, or where it lies if the terminal is to draw none."""

    DEFAULT_CSS = """
    Picture { align: center middle; overflow: hidden; }
    Picture > Static { width: 100%; text-align: center; color: $foreground 60%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._wanted: tuple[Hashable, Draw, str] | None = None
        self._shown: tuple[Hashable, tuple[int, int], str] | None = None

    def show(self, what: Hashable, draw: Draw, instead: str) -> None:
        """Show what `draw` makes; nothing happens if `what` is shown already as it fits here. Where the terminal draws
        no pictures, the words `instead` (a path) stand there.
        """
        self._wanted = what, draw, instead
        self._look()

    def clear(self) -> None:
        """Show nothing."""
        self._wanted = None
        if self._shown is not None:
            self._shown = None
            self.run_worker(partial(self._put, None), exclusive=True, exit_on_error=False)

    def again(self) -> None:
        """Draw anew, another way if that was chosen meanwhile."""
        self._shown = None
        self._look()

    def on_resize(self) -> None:
        self._look()

    def _look(self) -> None:
        if self._wanted is None or not self.size.area or not self.is_attached:
            return
        what, draw, instead = self._wanted
        chosen = os.environ.get(VARIABLE, "")
        if self._shown != (what, (self.size.width, self.size.height), chosen):
            self._shown = what, (self.size.width, self.size.height), chosen
            self.run_worker(partial(self._make, draw, instead), exclusive=True, exit_on_error=False)

    async def _make(self, draw: Draw, instead: str) -> None:
        driver = self.app._driver
        try:
            chosen = protocol(os.environ, getattr(driver, "said", ()))
            if chosen == "off":
                await self._put(_words(safe(instead)))
                return
            place = pixels(self.size.width, self.size.height, chosen, driver)
            if chosen == "halfcell":
                lines = await asyncio.to_thread(_in_half_cells, draw, place, cell_size(driver))
                await self._put(HalfCells(lines) if lines else None)
                return
            made = await asyncio.to_thread(_small, draw, place)
            if made is not None and chosen == "sixel":
                made = _on(made, ground_of(self.app))
            await self._put(picture_widget(made, chosen, driver) if made is not None else None)
        except UserError as error:
            await self._put(_words(safe_message(error.message)))
        except Exception as error:  # a mistake in the program is said in its place too
            await self._put(_words(told(error, cast("DbtuiApp", self.app).home)))

    async def _put(self, widget: Widget | None) -> None:
        """In the place of what is there; one thing after the other, so that nothing flickers. A picture that follows
        another is put into the same widget: a new one would be drawn twice, which a slow line pays for.
        """
        now = self.children[0] if self.children else None
        if isinstance(now, HalfCells) and isinstance(widget, HalfCells):
            now.lines = widget.lines
            return
        if now is not None and type(now) is type(widget) and not isinstance(now, Static):
            cast(Any, now).image = cast(Any, widget).image
            return
        async with self.batch():
            await self.remove_children()
            if widget is not None:
                await self.mount(widget)


def _in_half_cells(draw: Draw, place: tuple[int, int], cell: tuple[int, int]) -> list[Strip]:
    picture = draw(place)
    return half_cells(picture, place[0], place[1] // 2, cell) if picture is not None else []


def _small(draw: Draw, place: tuple[int, int]) -> Image | None:
    prepare()
    picture = draw(place)
    if picture is not None:
        picture.thumbnail(place)
    return picture


def ground_of(app: App[Any]) -> tuple[int, int, int]:
    """The colour behind everything; where that is the terminal's own, what comes nearest to it."""
    if app.current_theme.ansi:
        return (0, 0, 0) if app.current_theme.dark else (255, 255, 255)
    return Color.parse(app.theme_variables["background"]).rgb


def _on(picture: Image, ground: tuple[int, int, int]) -> Image:
    if picture.mode != "RGBA":
        return picture
    from PIL import Image as pillow

    whole = pillow.new("RGB", picture.size, ground)
    whole.paste(picture, mask=picture.getchannel("A"))
    return whole


def _words(text: str) -> Static:
    return Static(text, markup=False)
