"""Pictures in the terminal: which protocol, and textual-image without its probing.

textual-image asks the terminal what it knows when it is imported, and waits for the answer on stdin. Inside a running
app that answer goes to Textual instead, and over a slow line it arrives as typed keys. So it is imported while it
believes that there is no terminal, and the protocol comes from `$DBTUI_GRAPHICS`, from what was chosen in the app
before, or from the terminal's own name.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from core.settings import remember, remembered
from core.texts import Texts, UserError, joined, say

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.widget import Widget

Protocol = Literal["halfcell", "kitty", "sixel", "off"]
PROTOCOLS: tuple[Protocol, ...] = ("halfcell", "kitty", "sixel", "off")
PLACEHOLDERS: dict[str, tuple[int, ...]] = {"xterm-ghostty": (), "xterm-kitty": (1, 4000, 28)}
"""Values of $TERM whose terminals draw kitty's placeholders, from which answer to "what are you" on: kitty says 1,
4000 + the first number of its version, the second. It draws them from 0.28 on, and boxes before
(https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders; seen with 0.26.5 and 0.41.1).
"""
SETTING, VARIABLE = "graphics", "DBTUI_GRAPHICS"
USUAL_CELL = (10, 20)
"""Width and height of a character in pixels where the terminal does not tell."""
_importing = threading.Lock()


def protocol(environment: Mapping[str, str], said: tuple[int, ...] = ()) -> Protocol:
    """How to draw pictures, on a terminal that has `said` this of itself (see `LastingDriver`; empty until it answers).
    Coloured half cells work everywhere; `UserError` for a name that is none of ours.
    """
    asked = environment.get(VARIABLE, "")
    if asked:
        for known in PROTOCOLS:
            if asked == known:
                return known
        raise UserError(
            "graphics.unknown",
            "$DBTUI_GRAPHICS is “{asked}”, and that is no way of drawing pictures that is known here.",
            mend="Set it to one of {known}, or unset it.",
            asked=asked,
            known=joined(PROTOCOLS),
        )
    kept = remembered(SETTING)
    for known in PROTOCOLS:
        if kept == known:
            return known
    needed = PLACEHOLDERS.get(environment.get("TERM", ""))
    return "kitty" if needed is not None and said >= needed and "TMUX" not in environment else "halfcell"


NAMES = Texts("graphics.name", {"halfcell": "half cells", "kitty": "kitty", "sixel": "sixel", "off": "off"})


def about_protocols() -> dict[Protocol, str]:
    """Each in a few words."""
    return {
        "halfcell": say("graphics.halfcell", "coarse, on every terminal"),
        "kitty": say("graphics.kitty", "sharp; kitty from 0.28 and Ghostty, not in tmux"),
        "sixel": say("graphics.sixel", "sharp; foot, WezTerm, mlterm; may flicker"),
        "off": say("graphics.off", "no pictures: their paths instead"),
    }


def put_in_force(chosen: Protocol) -> None:
    """Draw in this way from now on, here and in processes started from here; and the next time. Raises `UserError`."""
    os.environ[VARIABLE] = chosen
    remember(**{SETTING: chosen})


def pixels(columns: int, lines: int, chosen: Protocol, driver: Any) -> tuple[int, int]:
    """How many pixels a place of so many cells shows."""
    if chosen == "halfcell":
        return max(1, columns), max(1, 2 * lines)
    width, height = cell_size(driver)
    return max(1, columns * width), max(1, lines * height)


def prepare() -> None:
    """Import textual-image (Pillow: a quarter of a second) without a word to the terminal. In any thread."""
    with _importing:
        if "textual_image.widget" in sys.modules:
            return
        terminal, sys.__stdout__ = sys.__stdout__, io.StringIO()  # type: ignore[misc]
        try:
            importlib.import_module("textual_image.widget")
        finally:
            sys.__stdout__ = terminal  # type: ignore[misc]


def picture_widget(picture: Image, chosen: Protocol, driver: Any) -> Widget:
    """A widget that shows `picture` by kitty's protocol or sixel as large as its place allows, in its own proportions.
    What kitty is sent goes through `driver`. Where the picture is transparent the ground is seen; sixel knows no such
    thing.
    """
    prepare()
    from textual_image import _terminal
    from textual_image import widget as widgets
    from textual_image.renderable import tgp

    _terminal.get_cell_size._result = _terminal.CellSize(*cell_size(driver))  # type: ignore[attr-defined]

    def send(*, payload: str | None = None, **values: int | str | None) -> None:
        told = ",".join(f"{key}={value}" for key, value in values.items() if value is not None)
        driver.write(f"\x1b_G{told}{f';{payload}' if payload else ''}\x1b\\")

    tgp._send_tgp_message = send
    shown: Widget = (widgets.TGPImage if chosen == "kitty" else widgets.SixelImage)(picture)
    shown.styles.width = shown.styles.height = "auto"
    return shown


def cell_size(driver: Any) -> tuple[int, int]:
    """Width and height of a character in pixels."""
    import fcntl
    import struct
    import termios

    descriptor = getattr(driver, "fileno", None)
    if not isinstance(descriptor, int) or not os.isatty(descriptor):
        return USUAL_CELL
    try:
        told = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return USUAL_CELL
    rows, columns, width, height = struct.unpack("HHHH", told)
    if not (rows and columns and width >= columns and height >= rows):
        return USUAL_CELL
    return width // columns, height // rows
