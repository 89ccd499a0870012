"""One field of the form: label, control, message. Drawn from an `Option`; no state of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Select, Static
from textual.widgets._select import NoSelection, SelectCurrent, SelectOverlay

from core.config.findings import Level
from core.config.pasting import bare_path, pasted_path
from core.config.table import Option
from core.texts import say
from dbtui.actions import binding
from dbtui.safe import safe
from dbtui.widgets.hanging import Hanging, Hung
from dbtui.wizard.placeholders import placeholder

MARKS = {
    Level.ERROR: ("✗", "$text-error"),
    Level.WARNING: ("!", "$text-warning"),
    Level.HINT: ("·", "$foreground-muted"),
}
GOOD = ("✓", "$text-success")
QUIET = ("", "$foreground-muted")
PATH_KINDS = ("path", "directory")
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
        hung = self.hung()
        return hung.head + hung.text

    def hung(self) -> Hung:
        """The same, its further lines below its words."""
        mark = Content.styled(f"{self.mark} ", self.colour) if self.mark else Content()
        return Hung(mark, Content.styled(self.text, self.colour))


@dataclass(frozen=True)
class RowState:
    """All that a row shows. `marked`: changed from a value that the preset, or the program, had chosen."""

    text: str
    changed: bool
    marked: bool
    lines: tuple[Line, ...]


class Field(Input):
    """A text field. Arrows go to the field above and below, Enter to the next.

    Textual runs the action of a key only after the key has bubbled up to the app, and inserts letters at once; so what
    is typed ahead of a slow screen would overtake a Backspace. Here every key acts in the order it was typed: keys that
    edit act in the field, and keys that leave it act (by priority) before the next letter is given to any field.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go(-1)", show=False, priority=True),
        Binding("enter", "go_on", show=False, priority=True),
        Binding("down", "go_down", show=False, priority=True),
    ]

    completion: Completion | None = None
    """The list of completions under the field; while it is open the arrows are its own, Enter and Tab take what is
    highlighted in it.
    """

    def on_mount(self) -> None:
        self.cursor_blink = False

    @property
    def is_completing(self) -> bool:
        return self.completion is not None and self.completion.is_open

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Down also opens the list again, where there is something in it."""
        if action == "go":
            return not self.is_completing
        if action == "go_down":
            return self.completion is None or not self.completion.takes_down
        return True

    def action_go(self, by: int) -> None:
        go(self, by)

    async def action_go_on(self) -> None:
        """To the next field; where a completion is highlighted once all that was typed is seen, take it instead."""
        if self.completion is not None:
            await self.completion.catch_up()
            if self.completion.is_chosen:
                self.completion.take()
                return
        go(self, 1)

    def action_go_down(self) -> None:
        go(self, 1)

    def validate_value(self, value: str) -> str:
        """What is pasted, or comes from a draft, is seen as it is used: control characters as visible escapes."""
        return safe(value)

    async def on_key(self, event: events.Key) -> None:
        for bound in self._bindings.key_to_bindings.get(event.key, ()):
            if not bound.priority:
                event.stop()
                event.prevent_default()
                await self.run_action(bound.action)
                return


class PathField(Field):
    """A field for a path: what shells, file managers and browsers put around one is taken off."""

    def validate_value(self, value: str) -> str:
        return bare_path(super().validate_value(value))

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.replace(pasted_path(event.text), *self.selection)


class Completion(Protocol):
    """What a field must know of its list of completions."""

    @property
    def is_open(self) -> bool: ...
    @property
    def is_chosen(self) -> bool: ...
    @property
    def takes_down(self) -> bool: ...
    def close(self) -> None: ...
    async def catch_up(self) -> None: ...
    def take(self) -> None: ...


class _OpenList(SelectOverlay):
    BINDINGS: ClassVar[list[BindingType]] = [
        binding("choice.close", "escape", "dismiss", "Close", "Closes the list and leaves the choice as it was.")
    ]


class _Chosen(SelectCurrent):
    """What is chosen, without the words that explain it in the list."""

    def update(self, label: Content | NoSelection) -> None:  # type: ignore[override]  # ours are Content
        super().update(label.split("\n")[0] if isinstance(label, Content) else label)


class Choice(Select[str], inherit_bindings=False):
    """A list to choose from; it opens with Enter or Space, so that the arrows go on to the next field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "show_overlay", show=False, priority=True),
        Binding("up", "go(-1)", show=False, priority=True),
        Binding("down", "go(1)", show=False, priority=True),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While the list is open these keys are its own."""
        return action not in ("go", "show_overlay") or not self.expanded

    def compose(self) -> ComposeResult:
        """As textual composes it, but for the words of the open list."""
        yield _Chosen(self.prompt)
        yield _OpenList(type_to_search=self._type_to_search).data_bind(compact=Select.compact)

    def action_go(self, by: int) -> None:
        go(self, by)


class Switched(Checkbox):
    """On or off, in words too; the cross is only there when it is on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go(-1)", show=False, priority=True),
        Binding("down", "go(1)", show=False, priority=True),
    ]

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]  # a constant in textual
        return "X" if self.value else " "

    def action_go(self, by: int) -> None:
        go(self, by)


def _listed(title: str) -> Content:
    """A choice in the list, as plain text: a title may be anybody's."""
    first, _, about = title.partition("\n")
    return Content.assemble(first, ("\n" + about, "$foreground 60%")) if about else Content(first)


def go(control: Widget, by: int) -> None:
    """Put the focus on the next (1) or the previous (-1) control."""
    if by > 0:
        control.screen.focus_next()
    else:
        control.screen.focus_previous()


class Row(Vertical):
    """`choices` are (title, value); a second line of a title explains it in the open list. Posts `Edited` for what a
    person changes, never for what `write` does.
    """

    class Edited(Message):
        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

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

    @property
    def text(self) -> str:
        """What stands in the control now."""
        control = self.control
        if isinstance(control, Switched):
            return TRUE if control.value else FALSE
        return str(control.value)

    @property
    def is_ahead(self) -> bool:
        """Whether somebody has changed the control, and the message that says so is still on its way."""
        control, known = self.control, self.state.text
        if isinstance(control, Field):
            return control.value != control.validate_value(known)
        return self.text != (self._chosen(known) if isinstance(control, Choice) else known)

    def write(self, text: str) -> None:
        """Put `text` into the control, as a fix or an undo does."""
        control = self.control
        if isinstance(control, Field) and control.completion is not None:
            control.completion.close()
        with self.prevent(Input.Changed, Select.Changed, Checkbox.Changed):
            if isinstance(control, Field) and control.value != text:
                control.value = text
                control.cursor_position = len(control.value)
            elif isinstance(control, Choice) and control.value != text:
                control.value = self._chosen(text)
            elif isinstance(control, Switched):
                control.value = text == TRUE
                control.label = _word(text == TRUE)

    def show(self, state: RowState) -> None:
        """Show marks and messages; what has not changed is not drawn again.

        The control follows only if it shows what was known before: somebody may be typing, ahead of what `state` knows.
        """
        if state == self.state:
            return
        if state.text != self.state.text and self.text == self.state.text:
            self.write(state.text)
        before, self.state = self.state, state
        if before.marked != state.marked:
            self.query_one(".mark", Static).update(self._mark())
        if self.has_class("narrow") and (before.lines, before.text) != (state.lines, state.text):
            self.query_one(".aside", Static).update(self._aside())
        if before.lines != state.lines:
            message = self.query_one(".message", Static)
            message.update(self._message())
            message.display = bool(self._message())

    # --- what a person does -----------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell()

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self._tell()

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        event.checkbox.label = _word(event.value)
        self._tell()

    def _tell(self) -> None:
        if self.text != self.state.text:
            self.post_message(self.Edited(self))

    # --- drawing ----------------------------------------------------------------------------------------------------

    def _control(self) -> Field | Choice | Switched:
        text = self.state.text
        if self.choices:
            titles = ((_listed(title), value) for title, value in self.choices)
            return Choice(titles, value=self._chosen(text), allow_blank=False, compact=True, classes="control")
        if self.option.type == "switch":
            return Switched(_word(text == TRUE), text == TRUE, compact=True, classes="control")
        kind = PathField if self.option.kind in PATH_KINDS else Field
        example = placeholder(self.path, self.option)
        return kind(text, placeholder=example, select_on_focus=self.option.takes_number, compact=True,
                    classes="control")  # fmt: skip

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
        counts = self.option.type != "text" or self.state.text.strip().isdecimal()  # not of `auto` and `10%`
        return Content(self.option.unit if counts else "").stylize("$foreground-muted")

    def _message(self) -> Hanging:
        """Under the control: what needs more room."""
        return Hanging() if self._fits_aside else Hanging.of(line.hung() for line in self.state.lines)


def _word(on: bool) -> Content:
    return Content(say("switch.on", "on") if on else say("switch.off", "off"))
