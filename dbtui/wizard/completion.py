"""Completion of paths under a field: folders, and the files that the field takes."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from textual import events
from textual.content import Content
from textual.widgets import Input
from textual_autocomplete import DropdownItem, PathAutoComplete, TargetState

from dbtui.safe import safe
from dbtui.wizard.rows import Field, Row

WEIGHTS = (".safetensors", ".ckpt")
MOST = 400
PATIENCE_SECONDS = 0.5


class PathCompletion(PathAutoComplete):
    """`~` is the home folder. Names that a terminal could not show as they are do not appear: they could not be typed.

    A completed path is an edit like any other, so `Input.Changed` is sent for it.
    """

    def __init__(self, target: Field, *, files: bool) -> None:
        super().__init__(target, folder_prefix=Content(""), file_prefix=Content(""), show_dotfiles=False)
        self.files = files
        target.completion = self

    @property
    def is_open(self) -> bool:
        return bool(self.display) and self.option_list.option_count > 0

    def action_show(self) -> None:
        super().action_show()
        self._hush()

    def action_hide(self) -> None:
        super().action_hide()
        self._hush()

    def _listen_to_messages(self, event: events.Event) -> None:
        super()._listen_to_messages(event)
        self._hush()

    def _hush(self) -> None:
        """While the list is open, what is said of the half-typed path is not shown: the list lies over it."""
        for row in self.target.ancestors:
            if isinstance(row, Row):
                row.set_class(self.is_open, "completing")

    async def catch_up(self) -> None:
        """Wait until the field, and then the list, have seen every key that was given to the field."""
        for pump in (self.target, self.target, self):  # twice: a key posts `Changed` behind what already waits
            seen = asyncio.Event()
            pump.call_later(seen.set)
            with suppress(TimeoutError):
                await asyncio.wait_for(seen.wait(), PATIENCE_SECONDS)

    def take(self) -> None:
        """Put the highlighted completion into the field."""
        self._complete(self.option_list.highlighted or 0)

    @property
    def takes_down(self) -> bool:
        """Down walks through the open list, and opens a closed one where it has something to offer."""
        return self.is_open or self.should_show_dropdown(self.get_search_string(self._get_target_state()))

    def get_candidates(self, target_state: TargetState) -> list[DropdownItem]:
        typed = target_state.text[: target_state.cursor_position]
        if "/" not in typed:
            return []
        folder = Path(typed[: typed.rindex("/")] or "/").expanduser()
        wanted = typed[typed.rindex("/") + 1 :]
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name.lower())
        except (OSError, ValueError):
            return []
        names = [name for entry in entries if (name := self._offered(entry, wanted))]
        return [DropdownItem(Content(name)) for name in names[:MOST]]

    def _offered(self, entry: os.DirEntry[str], wanted: str) -> str:
        if not entry.name.lower().startswith(wanted.lower()) or safe(entry.name) != entry.name:
            return ""
        if entry.name.startswith(".") and not wanted.startswith("."):
            return ""
        try:
            is_folder = entry.is_dir()
        except OSError:
            return ""
        if is_folder:
            return entry.name + "/"
        return entry.name if self.files and entry.name.endswith(WEIGHTS) else ""

    def post_completion(self) -> None:
        """Close the list, so that the next Tab or Enter goes on; the next letter, or Down, opens it again."""
        self.target.post_message(Input.Changed(self.target, self.target.value, None))
        self.call_after_refresh(self.action_hide)

    def should_show_dropdown(self, search_string: str) -> bool:
        """Where the only completion stands in the field already there is nothing to offer."""
        options = self.option_list
        if not self.target.has_focus or not options.option_count:
            return False
        only = options.get_option_at_index(0).prompt
        return options.option_count > 1 or str(only).rstrip("/") != search_string
