"""F1: what the focused widget is for, and the keys that work now."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ActiveBinding, ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from core.texts import say
from dbtui.actions import actions, binding
from dbtui.widgets.hanging import Hanging, Hung


class Guidance(ModalScreen[None]):
    """`topic` is what the focused widget (or its screen) says of itself."""

    BINDINGS = [binding("help.close", "escape,f1,enter,q", "dismiss(None)", "Close", "Closes the help.")]

    def __init__(self, topic: Content | Hanging, keys: Hanging) -> None:
        super().__init__()
        self.topic, self.keys = topic, keys

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="help"):
            with VerticalScroll(id="dialog-text"):
                if self.topic.plain:
                    yield Static(self.topic, markup=False)
                yield Static(self.keys if self.topic.plain else Hanging(self.keys.lines[1:]), markup=False)
            yield Static(say("help.keys", "Esc closes"), id="dialog-keys", markup=False)


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
    """What a key does now. In a dialog the keys that work everywhere come after its own, which textual leaves out."""
    yield from screen.active_bindings.values()
    if isinstance(screen, ModalScreen):
        app = screen.app
        keys = [key for action in actions("everywhere") for key in action.keys.split(",")]  # the first one is shown
        known = [bound for _, bound in app._bindings]
        for bound in sorted(known, key=lambda one: keys.index(one.key) if one.key in keys else len(keys)):
            if bound.priority and app.check_action(bound.action, ()):
                yield ActiveBinding(app, bound, True, bound.tooltip)


def keys_of(screen: Screen[object]) -> Hanging:
    """One line for each key that does something now, with what it does."""
    lines: list[Hung | Content] = [Content(""), Content(say("help.keys.title", "Keys")).stylize("bold")]
    seen: set[str] = set()
    for active in active_in(screen):
        bound = active.binding
        if not (active.enabled and bound.description and bound.tooltip) or bound.action in seen:
            continue
        seen.add(bound.action)
        key = screen.app.get_key_display(bound)
        told = say("help.key", "{title}: {help}", title=bound.description, help=bound.tooltip)
        lines.append(Hung(Content.styled(f"  {key:<8}", "bold"), Content(told)))
    tab = say("help.tab", "To the next field or list; Shift+Tab goes back.")
    lines.append(Hung(Content.styled("  Tab     ", "bold"), Content(tab)))
    return Hanging.of(lines)
