"""The line of keys: what each does now, and the menu of all that is possible at its right end."""

from __future__ import annotations

from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

KEY = "bold $footer-key-foreground on $footer-key-background"
TITLE = "$footer-description-foreground on $footer-description-background"


class Key(NamedTuple):
    key: str
    shown: str
    title: str
    help: str
    enabled: bool


class Place(NamedTuple):
    """Where a key stands in the line, in cells."""

    start: int
    end: int
    key: Key


class Footer(Widget):
    """One text. Textual's own has a widget for each key, a dozen of them made anew with every screen and every change:
    a fifth of the time that a screen took to open.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Footer { dock: bottom; height: 1; width: 100%; color: $footer-foreground; background: $footer-background; }
    """

    pointed: reactive[Key | None] = reactive[Key | None](None)
    """The key under the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: tuple[Key, ...] = ()
        self.menu: Key | None = None
        self.places: list[Place] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self.bindings_changed)

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Drawn anew only where another key stands in it; while another window has the focus it stays as it is."""
        if not screen.app.app_focus:
            return
        keys: dict[str, Key] = {}
        menu = None
        for pressed, active in screen.active_bindings.items():
            bound = active.binding
            key = Key(bound.key, self.app.get_key_display(bound), bound.description, active.tooltip, active.enabled)
            if pressed == self.app.COMMAND_PALETTE_BINDING:
                menu = key
            elif bound.show:
                keys.setdefault(bound.action, key)
        shown = tuple(keys.values())
        if (shown, menu) != (self.keys, self.menu):
            self.keys, self.menu = shown, menu
            self.refresh()

    def render(self) -> Content:
        """The keys from the left, as many as fit beside the menu."""
        self.places = []
        menu = Content()
        if self.menu is not None:
            told = self._told(self.menu)
            menu = Content.assemble(("▏", "$foreground 20%"), told, " ")
        room = max(0, self.size.width - menu.cell_length)
        line = Content()
        for key in self.keys:
            told = self._told(key)
            self.places.append(Place(line.cell_length, line.cell_length + told.cell_length, key))
            line = Content.assemble(line, told, " ")
        if line.cell_length > room:
            line = line.truncate(room)
        if self.menu is not None:
            self.places.append(Place(room, self.size.width, self.menu))
        return Content.assemble(line, " " * (room - line.cell_length), menu)

    def _told(self, key: Key) -> Content:
        told = Content.assemble((key.shown, KEY), (f" {key.title}", TITLE))
        if key == self.pointed:
            told = told.stylize("$footer-key-foreground on $block-hover-background")
        return told if key.enabled else told.stylize("dim")

    def _under(self, event: events.MouseEvent) -> Key | None:
        found = [place.key for place in self.places if place.start <= event.x < place.end]
        return found[-1] if found else None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self.pointed = self._under(event)

    def on_leave(self) -> None:
        self.pointed = None

    def watch_pointed(self, pointed: Key | None) -> None:
        self.tooltip = pointed.help or None if pointed is not None else None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A click does what the key does."""
        key = self._under(event)
        if key is None:
            return
        if key.enabled:
            self.app.simulate_key(key.key)
        else:
            self.app.bell()
