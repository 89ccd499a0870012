"""Pictures in the terminal: which protocol, and textual-image without its probing.

textual-image asks the terminal what it knows when it is imported, and waits for the answer on stdin. Inside a running
app that answer goes to Textual instead, and over a slow line it arrives as typed keys. So it is imported while it
believes that there is no terminal, and the protocol comes from `$DBTUI_GRAPHICS` or from the terminal's own name.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from core.texts import UserError

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.widget import Widget

Protocol = Literal["halfcell", "kitty", "sixel", "off"]
PROTOCOLS: tuple[Protocol, ...] = ("halfcell", "kitty", "sixel", "off")
KNOWN_GOOD = frozenset({"xterm-kitty", "xterm-ghostty"})
"""Values of $TERM whose terminals draw kitty's placeholders."""
USUAL_CELL = (10, 20)
"""Width and height of a character in pixels where the terminal does not tell."""


def protocol(environment: Mapping[str, str]) -> Protocol:
    """How to draw pictures. Coloured half cells work everywhere; `UserError` for a name that is none of ours."""
    asked = environment.get("DBTUI_GRAPHICS", "")
    if asked:
        for known in PROTOCOLS:
            if asked == known:
                return known
        raise UserError(
            "graphics.unknown",
            "$DBTUI_GRAPHICS is “{asked}”, and that is no way of drawing pictures that is known here.",
            mend="Set it to one of {known}, or unset it.",
            asked=asked,
            known=", ".join(PROTOCOLS),
        )
    return "kitty" if environment.get("TERM") in KNOWN_GOOD and "TMUX" not in environment else "halfcell"


def picture_widget(picture: Image, chosen: Protocol, driver: Any) -> Widget:
    """A widget that shows `picture` as large as its place allows, in its own proportions."""
    widgets = _import_quietly(driver)
    kinds = {"halfcell": widgets.HalfcellImage, "kitty": widgets.TGPImage, "sixel": widgets.SixelImage}
    widget: Widget = kinds[chosen](picture)
    widget.styles.width = widget.styles.height = "auto"
    return widget


def _import_quietly(driver: Any) -> Any:
    """`textual_image.widget`, imported without a word to the terminal; what kitty is sent goes through `driver`."""
    terminal, sys.__stdout__ = sys.__stdout__, io.StringIO()  # type: ignore[misc]
    try:
        from textual_image import _terminal
        from textual_image import widget as widgets
        from textual_image.renderable import tgp
    finally:
        sys.__stdout__ = terminal  # type: ignore[misc]
    _terminal.get_cell_size._result = _terminal.CellSize(*_cell_size(driver))  # type: ignore[attr-defined]

    def send(*, payload: str | None = None, **values: int | str | None) -> None:
        told = ",".join(f"{key}={value}" for key, value in values.items() if value is not None)
        driver.write(f"\x1b_G{told}{f';{payload}' if payload else ''}\x1b\\")

    tgp._send_tgp_message = send
    return widgets


def _cell_size(driver: Any) -> tuple[int, int]:
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
