"""Pieces of the wizard's screens: the form, headings, and the options under them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from core.config.table import Option, option_table
from core.texts import say
from dbtui.safe import safe


class Form(VerticalScroll, can_focus=False):
    """The rows of a screen; it scrolls with the focus. Posts `Moved` whenever another part of it may be seen."""

    class Moved(Message):
        """It was scrolled, or it or what is in it has another size."""

    @property
    def goes_on(self) -> bool:
        """Whether there is more below what is seen."""
        return round(self.scroll_y) < self.max_scroll_y

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    def watch_virtual_size(self) -> None:
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        self.post_message(self.Moved())


class HelpColumn(Vertical):
    """The help of the focused field; a line below it says which key shows the rest where not all of it has room."""

    def compose(self) -> ComposeResult:
        with _Text(can_focus=False):
            yield Static("", id="help", markup=False)
        rest = Static(say("wizard.help-goes-on", "▼ F1 shows all of it"), id="help-goes-on", markup=False)
        rest.display = False
        yield rest


class _Text(VerticalScroll):
    def watch_virtual_size(self) -> None:
        self._tell()

    def on_resize(self) -> None:
        self._tell()

    def _tell(self) -> None:
        for rest in self.screen.query("#help-goes-on"):  # none while it is composed
            rest.display = self.virtual_size.height > self.size.height + rest.display


def heading(title: str, text: str = "") -> Static:
    """A line over some rows: what they are about."""
    return Static(heading_words(title, text), classes="heading")


def heading_words(title: str, text: str = "") -> Content:
    rest = f"  {safe(text)}" if text else ""
    return Content.assemble((safe(title), "bold $text-primary"), (rest, "$foreground-muted"))


def section_options(prefix: str) -> list[Option]:
    """The options of one section, in the order of `run.toml`; `concepts.*.prior` → its six or seven."""
    return [option for option in option_table() if option.section == prefix]
