"""Choosing a folder or a file from a list, with the navigation of textual-fspicker: its walk, our plain lines.

Its own lines bear emoji, whose widths differ between terminals, show foreign names as they are, and a folder that
vanishes while it is read ends the app; so what it reads and how it is written is ours.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.worker import get_current_worker
from textual_fspicker.parts import DirectoryNavigation
from textual_fspicker.parts.directory_navigation import DirectoryEntry

from core.reasons import of_system
from core.texts import say
from dbtui.actions import binding
from dbtui.safe import safe
from dbtui.wizard.completion import WEIGHTS

MOST = 2000
TOGETHER_SECONDS = 1.0


class Entry(DirectoryEntry):
    """A folder, a file that can be taken, or one that only shows what is in the folder."""

    def __init__(self, location: Path, *, is_folder: bool, can_be_taken: bool = True) -> None:
        self.is_folder = is_folder
        super().__init__(location, None)  # type: ignore[arg-type]  # styles of a drawing that is not used
        self.disabled = not can_be_taken

    def _as_renderable(self, location: Path) -> Content:
        if location.name == "..":
            hint = say("browse.up", "Enter goes up, Space takes this folder")
            return Content.assemble(" ../", (f"  {hint}", "$foreground-muted"))
        return Content(f" {safe(location.name)}{'/' if self.is_folder else ''}")


class Listing(DirectoryNavigation):
    """Folders first. With `files`, weights can be taken too; other files are shown, but only to be recognised."""

    def __init__(self, location: Path, *, files: bool) -> None:
        super().__init__(location)
        self.files = files
        self._came_from: Path | None = None
        """The folder that was left upwards, until its line is found."""
        self._typed, self._typed_at = "", float("-inf")
        """The letters that were typed one after the other, and when the last one was (monotonic seconds)."""

    @work(exclusive=True, thread=True)
    def _load(self) -> None:
        worker, location = get_current_worker(), self._location
        found: list[Entry] = []
        problem = ""
        try:
            with os.scandir(location) as entries:
                for entry in entries:
                    if worker.is_cancelled:
                        return
                    found.append(self._entry(location, entry))
                    if len(found) == MOST:
                        problem = say("browse.most", "Only {count:,} of its entries are shown.", count=MOST)
                        break
        except OSError as error:
            problem = say("browse.unreadable", "It cannot be read: {reason}.", reason=of_system(error))
        found.sort(key=lambda entry: (not entry.is_folder, entry.location.name.lower()))
        self.app.call_later(self._take, location, found, problem)

    def _entry(self, location: Path, entry: os.DirEntry[str]) -> Entry:
        try:
            is_folder = entry.is_dir()
        except OSError:
            is_folder = False
        can_be_taken = is_folder or (self.files and entry.name.endswith(WEIGHTS))
        # a name that is not shown as it is could not be typed either
        return Entry(location / entry.name, is_folder=is_folder,
                     can_be_taken=can_be_taken and safe(entry.name) == entry.name)  # fmt: skip

    def _take(self, location: Path, found: list[Entry], problem: str) -> None:
        if location == self._location and self.is_attached:
            self._entries = list[DirectoryEntry](found)
            self._repopulate_display()
            if isinstance(self.screen, Browse):
                self.screen.tell(location, problem)

    def _on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """In place of the library's, which takes a folder that has vanished for a file."""
        event.stop()
        event.prevent_default()
        assert isinstance(event.option, Entry)
        if event.option.is_folder:
            self.open(Path(os.path.normpath(event.option.location)))
        else:
            self.post_message(self.Selected(self, event.option.location))

    def action_navigate_up(self) -> None:
        """In place of the library's: Backspace."""
        self.open(self._location.parent)

    def open(self, location: Path) -> None:
        """Show another folder; one above keeps the highlight on where one comes from."""
        if location != self._location:
            self._came_from = self._location if location == self._location.parent else None
            self._location = location

    def _on_key(self, event: Key) -> None:
        """Letters typed one after the other go to the next name that begins with them."""
        if not event.is_printable or event.character in (" ", ".") or self.highlighted is None:
            return
        letter, now = (event.character or "").lower(), time.monotonic()
        typed = self._typed + letter if now - self._typed_at < TOGETHER_SECONDS else letter
        if not self._jump(typed, self.highlighted + (typed == letter)):
            typed = letter
            self._jump(typed, self.highlighted + 1)
        self._typed, self._typed_at = typed, now
        event.stop()

    def _jump(self, beginning: str, start: int) -> bool:
        """To the first name with that beginning, from line `start` to the end and on from the first."""
        for number in (*range(start, self.option_count), *range(start)):
            entry = self.get_option_at_index(number)
            assert isinstance(entry, Entry)
            if entry.location.name.lower().startswith(beginning) and not entry.disabled:
                self.highlighted = number
                return True
        return False

    def _repopulate_display(self) -> None:
        self.clear_options()
        shown = list(self._shown())
        self.add_options(shown)
        places = [number for number, entry in enumerate(shown) if entry.location == self._came_from]
        self.highlighted = places[0] if places else 0 if shown else None

    def _shown(self) -> Iterable[DirectoryEntry]:
        if self._location != self._location.parent:
            yield Entry(self._location / "..", is_folder=True)
        yield from (entry for entry in self._entries if not self.hide(entry.location))


class Browse(ModalScreen[Path | None]):
    """Dismissed with the folder or the file that was taken, or `None`. Begins at `start`."""

    BINDINGS = [
        binding("browse.close", "escape", "dismiss(None)", "Close", "Closes the list without taking anything."),
        binding(
            "browse.take", "space", "take", "Take", "Takes the highlighted folder; on the first line the open one."
        ),
        binding("browse.hidden", "full_stop", "hidden", "Hidden", "Shows or hides what begins with a dot."),
    ]

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "browse.help",
            "Enter opens the highlighted folder, or takes the highlighted file; Backspace goes to the folder above. "
            "Letters go to the next name that begins with them: cl to clock.",
        )

    def __init__(self, title: str, start: Path, *, files: bool) -> None:
        super().__init__()
        self.title_text, self.files = title, files
        self.start = start

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(Content(self.title_text).stylize("bold"), markup=False)
            yield Static("", id="where", markup=False)
            yield Listing(self.start, files=self.files)
            keys = say("browse.keys", "Enter opens · Space takes · Backspace goes up · a–z jumps · Esc closes")
            yield Static(keys, id="dialog-keys", markup=False)

    def tell(self, location: Path, problem: str) -> None:
        """Say where one is, and what is wrong there."""
        self.query_one("#where", Static).update(Content.assemble(safe(location), (f"  {problem}", "$text-error")))

    def on_directory_navigation_selected(self, event: DirectoryNavigation.Selected) -> None:
        event.stop()
        self.dismiss(event.path)

    def action_take(self) -> None:
        listing = self.query_one(Listing)
        if listing.highlighted is None:
            return
        entry = listing.get_option_at_index(listing.highlighted)
        assert isinstance(entry, Entry)
        self.dismiss(listing.location if entry.location.name == ".." else entry.location)

    def action_hidden(self) -> None:
        self.query_one(Listing).toggle_hidden()


def nearest_folder(text: str) -> Path:
    """The folder that `text` names, or the nearest one above it that exists; the home folder where there is none. Asks
    the disk.
    """
    try:
        path = Path(text).expanduser()
        if text and path.is_absolute():
            return next(folder for folder in (path, *path.parents) if folder.is_dir())
        return Path.home()
    except (OSError, RuntimeError, ValueError):
        return Path("/")
