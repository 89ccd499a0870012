"""One line to be typed, in a dialog: a number, a name."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from core.texts import say
from dbtui.actions import binding


class Asked(ModalScreen[str | None]):
    """Dismissed with what was typed once `wrong` has nothing to say against it, or `None` for Escape.

    `wrong` returns what is wrong with a text, empty where nothing is. `text` is shown without markup.
    """

    BINDINGS = [binding("asked.close", "escape", "dismiss(None)", "Close", "Closes this without doing anything.")]

    def __init__(self, title: str, text: str, label: str, value: str, wrong: Callable[[str], str]) -> None:
        super().__init__()
        self.title_text, self.text, self.label, self.value, self.wrong = title, text, label, value, wrong

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say("asked.help", "Change what stands in the line, then press Enter. What will not do is said below it. "
                   "Esc closes the question, and nothing is done.")  # fmt: skip

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(Content(self.title_text).stylize("bold"), id="dialog-title", markup=False)
            if self.text:
                yield Static(self.text, classes="told", markup=False)
            with Horizontal(classes="asked"):
                yield Static(f"{self.label} ", classes="label", markup=False)
                yield Input(self.value, compact=True, id="asked-input")
            yield Static("", id="asked-wrong", markup=False)
            yield Static(say("asked.keys", "Enter goes on · Esc closes"), id="dialog-keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#asked-wrong", Static).update("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed = event.value.strip()
        wrong = self.wrong(typed)
        if wrong:
            self.query_one("#asked-wrong", Static).update(Content(wrong).stylize("$text-error"))
        else:
            self.dismiss(typed)
