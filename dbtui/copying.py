"""What y copies: it goes through the terminal, which may refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.screen import Screen

from core.texts import say
from dbtui.safe import safe


def copy(screen: Screen[Any], text: str | Path) -> None:
    """Hand `text` to the terminal's clipboard and say so."""
    screen.app.copy_to_clipboard(str(text))
    screen.notify(safe(text), title=say("samples.copied", "Copied, if this terminal allows it"), markup=False)
