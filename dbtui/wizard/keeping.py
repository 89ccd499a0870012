"""Saving the present values as a preset of one's own: a name, a title, and what it will hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from core.config.own_presets import NAME_RULE, Keepable, is_preset_name
from core.config.table import find_option
from core.texts import UserError, listed
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question
from dbtui.wizard.context import in_words
from dbtui.wizard.rows import Field

if TYPE_CHECKING:
    from dbtui.wizard.base import WizardScreen


@dataclass(frozen=True)
class Called:
    """What a preset shall be called: the name of its file and of `--preset`, and what lists show."""

    name: str
    title: str


class KeepPreset(ModalScreen[Called | None]):
    """Asks for name and title; dismissed with `None` for Escape."""

    BINDINGS = [
        Binding("escape", "dismiss(None)", "Close", tooltip="Closes this without saving."),
        Binding("ctrl+s", "save", "Save", tooltip="Saves the preset.", priority=True),
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]
    HELP = "A preset of your own keeps values for other subjects. It stands beside the others in the first step."

    def __init__(self, kept: Keepable, called: Called) -> None:
        super().__init__()
        self.kept, self.called = kept, called
        self._tried = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(Content("Save as a preset of your own").stylize("bold"), id="dialog-title", markup=False)
            with VerticalScroll(id="dialog-text", can_focus=False):
                yield Static(contents(self.kept), markup=False)
            with Horizontal(classes="asked"):
                yield Static("Name", classes="label")
                yield Field(self.called.name, id="preset-name", compact=True, select_on_focus=False)
            with Horizontal(classes="asked"):
                yield Static("Title", classes="label")
                yield Field(self.called.title, id="preset-title", compact=True, select_on_focus=False)
            yield Static("", id="preset-said", markup=False)
            yield Button("Save (Ctrl+S)", compact=True, action="screen.save")
            yield Static("Enter goes on · Ctrl+S saves · Esc closes", id="dialog-keys", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._tried:
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
        """What is wrong with the name, once saving was tried."""
        wrong = "" if is_preset_name(self.typed_name) else f"{NAME_RULE}." if self.typed_name else "It needs a name."
        self.query_one("#preset-said", Static).update(Content(wrong).stylize("$text-error"))


def contents(kept: Keepable) -> Content:
    """What the preset will hold, and what it cannot."""
    held = ", ".join(f"{find_option(path.replace('*', '0')).title} {in_words(value)}"
                     for path, value in kept.values.items())  # fmt: skip
    said = f"What differs from the program's own values goes into it: {safe(held)}."
    if kept.left_out:
        titles = listed(option.title for option in kept.left_out)
        said += f"\nNot kept, because they name this subject or differ between subjects: {titles}."
    return Content(f"{said}\nThe model, the pictures and the word for them are never kept.")


class Keeping:
    """The way from the key to the file, over the questions that come up."""

    def __init__(self, screen: WizardScreen) -> None:
        self.screen, self.app, self.context = screen, screen.dbtui, screen.context

    async def begin(self) -> None:
        """Ask for a name, unless a field is wrong or there is nothing to keep."""
        context = self.context
        if context.unread:
            await self._to_wrong_field()
            return
        kept = context.keepable()
        if not kept.values:
            self.app.notify("Every value is as the program chooses: there is nothing to save.", markup=False)
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
            await self.screen.wizard.go(step_of(wrong), wrong)
        self.app.notify("This must be mended before it can be saved.", severity="warning", markup=False)

    def _called(self, called: Called | None) -> None:
        if called is None:
            return
        present = self.context.presets.get(called.name)
        if present is not None and not present.is_own:
            question = Question(
                f"{called.name} is the name of a preset of the program.",
                "Yours would stand in its place. Deleting the file brings the other one back.",
                [Answer("other", "o", "Choose another name"), Answer("save", "s", "Save it so")],
            )
            self.app.push_screen(question, lambda answer: self._answered(answer, called, replace=False))
        else:
            self._save(called, replace=False)

    def _answered(self, answer: str | None, called: Called, *, replace: bool) -> None:
        if answer == "save":
            self._save(called, replace=replace)
        elif answer == "other":
            self.app.push_screen(KeepPreset(self.context.keepable(), called), self._called)

    def _save(self, called: Called, *, replace: bool) -> None:
        try:
            saved = self.context.keep_as_preset(called.name, called.title, replace=replace)
        except UserError as error:
            if error.code != "preset.exists":
                self.app.say(error)
                return
            question = Question(
                f"There is a preset {called.name} of yours already.",
                "What it holds would be lost.",
                [Answer("other", "o", "Choose another name"), Answer("save", "r", "Replace it")],
            )
            self.app.push_screen(question, lambda answer: self._answered(answer, called, replace=True))
            return
        self.app.notify(f"Saved as {safe(saved.path)}. It is chosen now.", title="Preset", markup=False)
        self.screen.preset_saved()
