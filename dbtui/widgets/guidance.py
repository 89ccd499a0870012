"""F1: what the focused widget is for, and the keys that work now."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.keys import format_key
from textual.screen import ActiveBinding, ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from core.texts import say
from dbtui.actions import actions, binding
from dbtui.widgets.hanging import Hanging, Hung

NAMES = {"escape": "Esc", "enter": "Enter", "backspace": "Backspace", "pageup": "PgUp", "pagedown": "PgDn",
         "home": "Home", "end": "End", "delete": "Del"}  # fmt: skip


class Guidance(ModalScreen[None]):
    """`topic` is what the focused widget (or its screen) says of itself. That of a whole screen gives way to the keys
    after its first paragraph.
    """

    BINDINGS = [binding("help.close", "escape,f1,enter,q", "dismiss(None)", "Close", "Closes the help.")]

    def __init__(self, topic: Content | Hanging, keys: Hanging) -> None:
        super().__init__()
        self.topic, self.keys = topic, keys
        self._is_longer = False
        """Whether some of it is out of sight."""

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="help"):
            with VerticalScroll(id="dialog-text"):
                yield Static(self._text(), markup=False)
            yield Static(self._keys_line(), id="dialog-keys", markup=False)

    def _text(self) -> Hanging:
        if not self.topic.plain:
            return Hanging(self.keys.lines[1:])
        if isinstance(self.topic, Hanging):
            return Hanging.of([self.topic, self.keys])
        first, _, rest = self.topic.plain.partition("\n\n")
        return Hanging.of([Content(first), self.keys, *([Content(""), Content(rest)] if rest else [])])

    def on_resize(self) -> None:
        self.call_after_refresh(self._tell_keys)

    def _tell_keys(self) -> None:
        """Once it is known whether all of it fits."""
        is_longer = self.query_one("#dialog-text", VerticalScroll).max_scroll_y > 0
        if is_longer != self._is_longer:
            self._is_longer = is_longer
            self.query_one("#dialog-keys", Static).update(self._keys_line(), layout=False)

    def _keys_line(self) -> str:
        """How to see what does not fit, and how to go."""
        scrolls = [say("help.keys.scroll", "↑ ↓ PgUp PgDn show the rest")] if self._is_longer else []
        return " · ".join([*scrolls, say("help.keys", "Esc closes")])


def topic_of(screen: Screen[object]) -> Content | Hanging:
    """The help of the focused widget or the nearest one around it that has any.

    A widget tells it with a method `guidance() -> Content | Hanging`, or with Textual's `HELP`.
    """
    node: Widget | None = screen.focused or screen
    while node is not None:
        told = getattr(node, "guidance", None)
        if told is not None:
            content: Content | Hanging = told()
            return content
        if node.HELP and type(node).__module__.startswith("dbtui"):
            return Content(node.HELP.strip())
        node = node.parent if isinstance(node.parent, Widget) else None
    return Content("")


def active_in(screen: Screen[object]) -> Iterator[ActiveBinding]:
    """What a key does now, those last that work everywhere; in a dialog textual leaves these out."""
    yield from sorted(screen.active_bindings.values(), key=lambda active: active.node is screen.app)
    if isinstance(screen, ModalScreen):
        app = screen.app
        keys = [key for action in actions("everywhere") for key in action.keys.split(",")]  # the first one is shown
        known = [bound for _, bound in app._bindings]
        for bound in sorted(known, key=lambda one: keys.index(one.key) if one.key in keys else len(keys)):
            if bound.priority and app.check_action(bound.action, ()):
                yield ActiveBinding(app, bound, True, bound.tooltip)


def key_in_words(bound: Binding) -> str:
    """A key as all texts name it, `Ctrl+C` and `PgUp`: the footer, with less room, has `^c`."""
    modifiers, key = bound.parse_key()
    name = say("key.space", "Space") if key == "space" else NAMES.get(key, format_key(key))
    if modifiers or re.fullmatch(r"f\d+", name):
        name = name[0].upper() + name[1:]
    return "+".join([*map(str.capitalize, modifiers), name])


def keys_of(screen: Screen[object]) -> Hanging:
    """One line for each key that does something now, with what it does."""
    lines: list[Hung | Content] = [Content(""), Content(say("help.keys.title", "Keys")).stylize("bold")]
    seen: set[str] = set()
    for active in active_in(screen):
        bound = active.binding
        if not (active.enabled and bound.description and bound.tooltip) or bound.action in seen:
            continue
        seen.add(bound.action)
        told = say("help.key", "{title}: {help}", title=bound.description, help=bound.tooltip)
        key = key_in_words(bound)
        lines.append(Hung(Content.styled(f"  {key}{' ' * (8 - cell_len(key))}", "bold"), Content(told)))
    tab = say("help.tab", "To the next field or list; Shift+Tab goes back.")
    lines.append(Hung(Content.styled("  Tab     ", "bold"), Content(tab)))
    return Hanging.of(lines)
