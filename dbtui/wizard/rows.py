"""One field of the form: label, control, message. Drawn from an `Option`; no state of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input, Select, Static

from core.config.findings import Level
from core.config.table import Option

MARKS = {
    Level.ERROR: ("✗", "$text-error"),
    Level.WARNING: ("!", "$text-warning"),
    Level.HINT: ("·", "$text-muted"),
}
GOOD = ("✓", "$text-success")
QUIET = ("", "$text-muted")
WIDE_KINDS = ("choice", "path", "directory", "prompt")
ASIDE_CELLS = 24
TRUE, FALSE = "true", "false"


@dataclass(frozen=True)
class Line:
    """One message beside a field."""

    mark: str
    colour: str
    text: str

    def content(self) -> Content:
        return Content.assemble((f"{self.mark} " if self.mark else "", self.colour), (self.text, self.colour))


@dataclass(frozen=True)
class RowState:
    """All that a row shows. `marked`: changed from a value that the preset, or the program, had chosen."""

    text: str
    changed: bool
    marked: bool
    lines: tuple[Line, ...]


class Field(Input):
    """A text field. Arrows go to the field above and below, Enter to the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down,enter", "app.focus_next", show=False),
    ]


class Choice(Select[str], inherit_bindings=False):
    """A list to choose from; it opens with Enter or Space, so that the arrows go on to the next field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "show_overlay", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]


class Switched(Checkbox):
    """On or off, in words too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]


class Row(Vertical):
    """`choices` are (title, value). Posts `Edited` for what a person changes, never for what `show` does."""

    class Edited(Message):
        def __init__(self, path: str, text: str) -> None:
            super().__init__()
            self.path, self.text = path, text

    def __init__(self, path: str, option: Option, state: RowState, choices: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(classes="wide" if option.kind in WIDE_KINDS else "narrow")
        self.path, self.option, self.state = path, option, state
        self.choices = tuple(choices) or tuple((choice, choice) for choice in option.choices)

    def compose(self) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Static(self._mark(), classes="mark")
            yield Static(self.option.title, classes="label", markup=False)
            yield self._control()
            if self.has_class("narrow"):
                yield Static(self._aside(), classes="aside")
        yield Static(self._message(), classes="message")

    def on_mount(self) -> None:
        self.query_one(".message").display = bool(self._message())

    @property
    def control(self) -> Field | Choice | Switched:
        found = self.query_one(".control")
        assert isinstance(found, (Field, Choice, Switched))
        return found

    def show(self, state: RowState) -> None:
        """Show `state`; what has not changed is not drawn again."""
        if state == self.state or not self.is_mounted:
            return
        before, self.state = self.state, state
        control = self.control
        with self.prevent(Input.Changed, Select.Changed, Checkbox.Changed):
            if isinstance(control, Field) and control.value != state.text:
                control.value = state.text
            elif isinstance(control, Choice) and control.value != state.text:
                control.value = self._chosen(state.text)
            elif isinstance(control, Switched):
                control.value = state.text == TRUE
                control.label = _word(state.text == TRUE)
        if before.marked != state.marked:
            self.query_one(".mark", Static).update(self._mark())
        if self.has_class("narrow"):
            self.query_one(".aside", Static).update(self._aside())
        message = self.query_one(".message", Static)
        message.update(self._message())
        message.display = bool(self._message())

    # --- what a person does -----------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self.state.text:
            self.post_message(self.Edited(self.path, event.value))

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, str) and event.value != self.state.text:
            self.post_message(self.Edited(self.path, event.value))

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        text = TRUE if event.value else FALSE
        event.checkbox.label = _word(event.value)
        if text != self.state.text:
            self.post_message(self.Edited(self.path, text))

    # --- drawing ----------------------------------------------------------------------------------------------------

    def _control(self) -> Field | Choice | Switched:
        text = self.state.text
        if self.choices:
            return Choice(self.choices, value=self._chosen(text), allow_blank=False, compact=True, classes="control")
        if self.option.type == "switch":
            return Switched(_word(text == TRUE), text == TRUE, compact=True, classes="control")
        return Field(text, select_on_focus=False, compact=True, classes="control")

    def _chosen(self, text: str) -> str:
        return text if any(value == text for _, value in self.choices) else self.choices[0][1]

    def _mark(self) -> Content:
        return Content("•" if self.state.marked else "").stylize("bold $accent")

    @property
    def _fits_aside(self) -> bool:
        """Whether what is to be said is short enough to stand on the field's own line."""
        lines = self.state.lines
        return self.has_class("narrow") and len(lines) == 1 and lines[0].content().cell_length <= ASIDE_CELLS

    def _aside(self) -> Content:
        """To the right of the control: the unit, or a short message in its place."""
        if self._fits_aside:
            return self.state.lines[0].content()
        return Content(self.option.unit).stylize("$text-muted")

    def _message(self) -> Content:
        """Under the control: what needs more room."""
        return Content() if self._fits_aside else Content("\n").join([line.content() for line in self.state.lines])


def _word(on: bool) -> Content:
    return Content("on" if on else "off")
