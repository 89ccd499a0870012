"""Completion of paths under a field: folders, and the files that the field takes. A thread lists what is there."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Region, Spacing
from textual.widgets import Input, Static
from textual_autocomplete import AutoCompleteList, DropdownItem, PathAutoComplete, TargetState

from core.texts import say
from dbtui.safe import safe
from dbtui.wizard.asking import Asker
from dbtui.wizard.rows import Field, Row

if TYPE_CHECKING:
    from dbtui.app import DbtuiApp

WEIGHTS = (".safetensors", ".ckpt")
MOST = 400
PATIENCE_SECONDS = 0.5
FRESH_SECONDS = 2.0


@dataclass(frozen=True)
class Listed:
    """What was in `folder` at `time` (monotonic seconds): names, and whether each is a folder."""

    folder: Path
    entries: tuple[tuple[str, bool], ...]
    time: float = float("-inf")


def list_folder(folder: Path) -> Listed:
    """Everything in `folder`, by name; nothing where it cannot be read."""
    found: list[tuple[str, bool]] = []
    with suppress(OSError, ValueError), os.scandir(folder) as entries:
        for entry in entries:
            try:
                found.append((entry.name, entry.is_dir()))
            except OSError:
                continue
    return Listed(folder, tuple(sorted(found, key=lambda entry: entry[0].lower())), time.monotonic())


def completion_help() -> str:
    """What F1 says of it."""
    return say("completion.help", "While you type, a list opens: Tab takes its highlighted line, ↓ goes into the list.")


class PathCompletion(PathAutoComplete):
    """`~` is the home folder. Names that a terminal could not show as they are do not appear: they could not be typed.

    A completed path is an edit like any other, so `Input.Changed` is sent for it.
    """

    def __init__(self, target: Field, *, files: bool) -> None:
        super().__init__(target, folder_prefix=Content(""), file_prefix=Content(""), show_dotfiles=False)
        self.files = files
        self._options = AutoCompleteList()
        self._options.can_focus = False
        self._keys = Static("", markup=False)
        self._listed = Listed(Path(), ())
        self._asker: Asker[Path, Listed] | None = None
        self._asked = Path()
        self._is_typed = False
        """Something was typed since the field has the focus and since it was filled otherwise: the list may open."""
        target.completion = self

    def compose(self) -> ComposeResult:
        yield self._options
        yield self._keys

    @property
    def option_list(self) -> AutoCompleteList:
        """Kept, not looked for: a field is asked for its keys also while its screen is being taken away."""
        return self._options

    @property
    def is_open(self) -> bool:
        return bool(self.display) and self.option_list.option_count > 0

    @property
    def is_chosen(self) -> bool:
        """Whether a line of the open list is highlighted: not where the path is whole as it was typed."""
        return self.is_open and self.option_list.highlighted is not None

    def close(self) -> None:
        """The field was filled otherwise than by typing."""
        self._is_typed = False
        self.action_hide()

    def action_show(self) -> None:
        super().action_show()
        self._tell_keys()
        self._hush()
        self.call_after_refresh(self._align_to_target)  # it has its size only then

    def action_hide(self) -> None:
        super().action_hide()
        self._hush()

    def on_mount(self) -> None:
        self._asker = Asker(self.app, list_folder, self._answered, cast("DbtuiApp", self.app).say)

    def _listen_to_messages(self, event: events.Event) -> None:
        is_letter = isinstance(event, events.Key) and (event.is_printable or event.key == "backspace")
        if is_letter or isinstance(event, events.Paste):
            self._is_typed = True
        if isinstance(event, events.Key) and event.key == "down" and self.is_open and not self.is_chosen:
            event.prevent_default()
            event.stop()
            self.option_list.highlighted = 0
        else:
            super()._listen_to_messages(event)
        self._tell_keys()
        self._hush()

    def _handle_focus_change(self, has_focus: bool) -> None:
        self._is_typed = False
        super()._handle_focus_change(has_focus)

    def _handle_target_update(self) -> None:
        """Open the list for what was typed, but not where there is nothing to add to it."""
        super()._handle_target_update()
        if not self._is_typed or self._is_named(self._target_state):
            self.action_hide()

    def _rebuild_options(self, target_state: TargetState, search_string: str) -> None:
        super()._rebuild_options(target_state, search_string)
        if not search_string or self._is_named(target_state):
            self.option_list.highlighted = None
        self._tell_keys()

    def _is_named(self, state: TargetState) -> bool:
        """Whether what stands before the cursor names a folder that is there, or a file that the field takes."""
        wanted = self.get_search_string(state)
        return any(name == wanted and self._offered((name, is_folder), wanted)
                   for name, is_folder in self._listed.entries)  # fmt: skip

    def _align_to_target(self) -> None:
        """Below the cursor, as far left and up as list and keys need."""
        x, y = self.target.cursor_screen_offset
        listed, keys = self.option_list.outer_size, self._keys.outer_size
        wanted = Region(x - 1, y + 1, max(listed.width, keys.width), listed.height + keys.height)
        room = self.screen.scrollable_content_region
        self.absolute_offset = wanted.constrain("inside", "none", Spacing(), room).offset

    def _tell_keys(self) -> None:
        told = say("completion.whole", "Tab goes on · ↓ chooses · Esc closes")
        if self.is_chosen:
            told = say("completion.takes", "Tab takes it · ↑ ↓ choose · Esc closes")
        if self._keys.content != told:
            self._keys.update(told)

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
        began = time.monotonic()
        while self._asker is not None and self._asker.is_busy and time.monotonic() - began < PATIENCE_SECONDS:
            await asyncio.sleep(0.01)

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
        try:
            folder = Path(typed[: typed.rindex("/")] or "/").expanduser()
        except RuntimeError:  # `~` of nobody
            return []
        self._look(folder)
        if folder != self._listed.folder:
            return []  # the list opens when the answer comes
        wanted = typed[typed.rindex("/") + 1 :]
        names = [name for entry in self._listed.entries if (name := self._offered(entry, wanted))]
        return [DropdownItem(Content(name)) for name in names[:MOST]]

    def _look(self, folder: Path) -> None:
        """Ask what is in `folder`, in a thread, unless that was asked a moment ago."""
        listed = self._listed
        if self._asker is None or (listed.folder == folder and time.monotonic() - listed.time < FRESH_SECONDS):
            return
        if self._asked != folder or not self._asker.is_busy:
            self._asked = folder
            self._asker.ask(folder, at_once=True)

    def _answered(self, folder: Path, listed: Listed) -> None:
        is_news = (listed.folder, listed.entries) != (self._listed.folder, self._listed.entries)
        self._listed = listed
        if is_news and self.is_attached and self.target.has_focus:
            self._handle_target_update()
            self._hush()

    def _offered(self, entry: tuple[str, bool], wanted: str) -> str:
        name, is_folder = entry
        if not name.lower().startswith(wanted.lower()) or safe(name) != name:
            return ""
        if name.startswith(".") and not wanted.startswith("."):
            return ""
        if is_folder:
            return name + "/"
        return name if self.files and name.endswith(WEIGHTS) else ""

    def post_completion(self) -> None:
        """Close the list, so that the next Tab or Enter goes on; the next letter, or Down, opens it again."""
        self._is_typed = False
        self.target.post_message(Input.Changed(self.target, self.target.value, None))
        self.call_after_refresh(self.action_hide)

    def should_show_dropdown(self, search_string: str) -> bool:
        """Where the only completion stands in the field already there is nothing to offer."""
        options = self.option_list
        if not self.target.has_focus or not options.option_count:
            return False
        only = options.get_option_at_index(0).prompt
        return options.option_count > 1 or str(only).rstrip("/") != search_string
