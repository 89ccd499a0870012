"""Saving the present values as a preset of one's own: a name, a title, and what it will hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import DescendantBlur
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from core.config.own_presets import Keepable, is_preset_name, name_rule
from core.config.presets import Preset, Presets
from core.config.table import find_option
from core.texts import UserError, joined, listed, say, valued
from dbtui.actions import binding
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question
from dbtui.wizard.context import write_preset
from dbtui.wizard.placeholders import optional
from dbtui.wizard.rows import Field
from dbtui.wizard.values import in_words

if TYPE_CHECKING:
    from dbtui.wizard.editing import Editing


@dataclass(frozen=True)
class Called:
    """What a preset shall be called: the name of its file and of `--preset`, and what lists show."""

    name: str
    title: str


class KeepPreset(ModalScreen[Called | None]):
    """Asks for name and title; dismissed with `None` for Escape."""

    BINDINGS = [
        binding("keeping.close", "escape", "dismiss(None)", "Close", "Closes this without saving."),
        binding("keeping.save", "ctrl+s", "save", "Save", "Saves the preset.", priority=True),
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(self, kept: Keepable, called: Called) -> None:
        super().__init__()
        self.kept, self.called = kept, called
        self._tried = False

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "keeping.help",
            "A preset of your own keeps values for other subjects. It stands beside the others in the first step.",
        )

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            title = say("keeping.title", "Save as a preset of your own")
            yield Static(Content(title).stylize("bold"), id="dialog-title", markup=False)
            with VerticalScroll(id="dialog-text", can_focus=False):
                yield Static(contents(self.kept), markup=False)
            with Horizontal(classes="asked name"):
                yield Static(say("keeping.name", "Name"), classes="label")
                yield Field(self.called.name, placeholder=say("placeholder.preset-name", "for example my-faces"),
                            id="preset-name", compact=True, select_on_focus=False)  # fmt: skip
            yield Static("", id="preset-said", markup=False)
            with Horizontal(classes="asked"):
                yield Static(say("keeping.preset-title", "Title"), classes="label")
                yield Field(self.called.title, placeholder=optional(), id="preset-title", compact=True,
                            select_on_focus=False)  # fmt: skip
            yield Button(say("keeping.save", "Save (Ctrl+S)"), compact=True, action="screen.save")
            keys = say("keeping.keys", "Enter goes on · Ctrl+S saves · Esc closes")
            yield Static(keys, id="dialog-keys", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._tried:
            self._say()

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        """A name that cannot be one is said when it is left, not only when it is to be saved."""
        if event.widget.id == "preset-name" and self.typed_name:
            self._tried = True
            self._say()

    def action_save(self) -> None:
        self._tried = True
        self._say()
        if is_preset_name(self.typed_name):
            self.dismiss(Called(self.typed_name, self._text("title") or self.typed_name))
        else:
            self.query_one("#preset-name", Field).focus()

    @property
    def typed_name(self) -> str:
        return self._text("name")

    def _text(self, field: str) -> str:
        return self.query_one(f"#preset-{field}", Field).value.strip()

    def _say(self) -> None:
        """What is wrong with the name, once one was typed or saving was tried."""
        wrong = ""
        if not self.typed_name:
            wrong = say("keeping.nameless", "It needs a name.")
        elif not is_preset_name(self.typed_name):
            wrong = name_rule()
        self.query_one("#preset-said", Static).update(Content(wrong).stylize("$text-error"))


def contents(kept: Keepable) -> Content:
    """What the preset will hold, and what it cannot."""
    held = joined(valued(find_option(path.replace("*", "0")).title, in_words(value))
                  for path, value in kept.values.items())  # fmt: skip
    said = say("keeping.held", "What differs from the program's own values goes into it: {values}.", values=safe(held))
    if kept.left_out:
        titles = listed(option.title for option in kept.left_out)
        left_out = say("keeping.left-out", "Not kept, because they name this subject or differ between subjects: "
                       "{titles}.", titles=titles)  # fmt: skip
        said += f"\n{left_out}"
    never = say("keeping.never", "The model, the pictures and the word for them are never kept.")
    return Content(f"{said}\n{never}")


class Keeping:
    """The way from the key to the file, over the questions that come up."""

    def __init__(self, screen: Editing) -> None:
        self.screen, self.app, self.context = screen, screen.dbtui, screen.context

    async def begin(self) -> None:
        """Ask for a name, unless a field is wrong or there is nothing to keep."""
        context = self.context
        if context.unread:
            await self._to_wrong_field()
            return
        kept = context.keepable()
        if not kept.values:
            nothing = say("keeping.nothing", "Every value is as the program chooses: there is nothing to save.")
            self.app.notify(nothing, markup=False)
            return
        chosen = context.presets.get(context.preset)
        called = Called(chosen.id, chosen.title) if chosen is not None and chosen.is_own else Called("", "")
        self.app.push_screen(KeepPreset(kept, called), self._called)

    async def _to_wrong_field(self) -> None:
        from dbtui.wizard.context import step_of

        wrong = self.context.unread[0].field
        self.context.visited.add(wrong)
        if step_of(wrong) == self.screen.step:
            await self.screen.go_to_field(wrong)
        else:
            self.screen.wizard.turn_to(step_of(wrong), wrong)
        self.app.notify(say("keeping.errors", "This must be mended before it can be saved."), severity="warning",
                        markup=False)  # fmt: skip

    def _called(self, called: Called | None) -> None:
        if called is None:
            return
        present = self.context.presets.get(called.name)
        if present is not None and not present.is_own:
            question = Question(
                say("keeping.taken", "{name} is the name of a preset of the program.", name=called.name),
                say("keeping.taken.text",
                    "Yours would stand in its place. Deleting the file brings the other one back."),
                [Answer("other", "o", say("keeping.other", "Choose another name")),
                 Answer("save", "s", say("keeping.so", "Save it so"))],
            )  # fmt: skip
            self.app.push_screen(question, lambda answer: self._answered(answer, called, replace=False))
        else:
            self._save(called, replace=False)

    def _answered(self, answer: str | None, called: Called, *, replace: bool) -> None:
        if answer == "save":
            self._save(called, replace=replace)
        elif answer == "other":
            self.app.push_screen(KeepPreset(self.context.keepable(), called), self._called)

    def _save(self, called: Called, *, replace: bool) -> None:
        """Write it in a thread: the folder of presets may lie on a slow disk."""
        values = self.context.keepable().values

        def write() -> tuple[Preset, Presets] | None:
            try:
                return write_preset(called.name, called.title, values, replace=replace)
            except UserError as error:
                if error.code != "preset.exists":
                    raise
                return None

        self.screen.in_thread(write, lambda written: self._written(written, called))

    def _written(self, written: tuple[Preset, Presets] | None, called: Called) -> None:
        if written is None:
            question = Question(
                say("keeping.exists", "There is a preset {name} of yours already.", name=called.name),
                say("keeping.exists.text", "What it holds would be lost."),
                [Answer("other", "o", say("keeping.other", "Choose another name")),
                 Answer("save", "r", say("keeping.replace", "Replace it"))],
            )  # fmt: skip
            self.app.push_screen(question, lambda answer: self._answered(answer, called, replace=True))
            return
        self.context.choose_kept(*written)
        self.app.notify(say("keeping.saved", "Saved as {path}. It is chosen now.", path=safe(written[0].path)),
                        title=say("preset.title", "Preset"), markup=False)  # fmt: skip
        self.screen.preset_saved()
