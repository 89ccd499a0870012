"""A question over the screen: a title, a few sentences, and answers by key, arrow or mouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.texts import joined, say
from dbtui.actions import binding
from dbtui.widgets.hanging import Hanging, Hung

DIGITS = "123456789"
KEYS = f"{DIGITS}abcdefghijklmnopqrstuvwxyz"
LEAST_ANSWERS = 4
"""So many lines of the answers are seen at once, however long the text is."""


@dataclass(frozen=True)
class Answer:
    """`key` is one character, or empty where only arrows choose it; `help` says in a few words what follows."""

    id: str
    key: str
    title: str
    help: str = ""


def key_of(number: int) -> str:
    """The key of one of many answers, counted from 1: a digit, then a letter; none where these are used up."""
    return KEYS[number - 1] if number <= len(KEYS) else ""


class _Answers(OptionList):
    """As tall as it is with a scrollbar: one that an earlier layout needed would stay, and wrap a line more."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return super().get_content_height(container, viewport, width - self.styles.scrollbar_size_vertical)


class Question(ModalScreen[str | None]):
    """Dismissed with the answer's id, or `None` for Escape. `text` is shown as it is, without markup."""

    BINDINGS = [binding("question.close", "escape", "dismiss(None)", "Close", "Closes this without doing anything.")]

    def __init__(self, title: str, text: str | Content, answers: Sequence[Answer], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.title_text, self.text, self.answers = title, text, tuple(answers)

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say("question.help", "Arrows and Enter choose an answer, or the key in front of it, or its number: 1 is "
                   "the first. Esc closes the question, and nothing is done.")  # fmt: skip

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(Content(self.title_text).stylize("bold"), id="dialog-title", markup=False)
            if self.text:
                with VerticalScroll(id="dialog-text", can_focus=False):
                    yield Static(self.text, markup=False)
            yield _Answers(*(Option(_line(answer), id=answer.id) for answer in self.answers), compact=True,
                           id="answers", markup=False)  # fmt: skip
            keys = say("question.keys", "↑ ↓ and Enter, or the key in front · Esc closes")
            yield Static(keys, id="dialog-keys", markup=False)

    def on_mount(self) -> None:
        answers = self.query_one("#answers", OptionList)
        answers.focus()
        answers.highlighted = 0

    def on_resize(self) -> None:
        self.call_after_refresh(self._share_room)

    def _share_room(self) -> None:
        """All of the text and the answers where the screen has room; else some answers, then the text, and the list of
        answers is turned.
        """
        answers = self.query_one("#answers", _Answers)
        needed = answers.get_content_height(self.size, self.size, answers.size.width)
        beside = [self.query_one(f"#{part}") for part in ("dialog-title", "dialog-keys")]
        room = self.size.height - self.query_one("#dialog").gutter.height - sum(one.outer_size.height for one in beside)
        for text in self.query("#dialog-text"):
            most = max(1, room - min(needed, LEAST_ANSWERS))
            text.styles.max_height = most
            room -= min(most, text.virtual_size.height + text.gutter.height)
        answers.styles.max_height = max(1, room)

    def on_key(self, event: events.Key) -> None:
        """An answer's own key, else its number. Any other letter does nothing and is told which ones do."""
        if not event.is_printable or event.character is None:
            return
        event.stop()
        by_key = {DIGITS[number]: answer for number, answer in enumerate(self.answers[: len(DIGITS)])}
        by_key |= {answer.key: answer for answer in self.answers if answer.key}
        chosen = by_key.get(event.character.lower())
        if chosen is not None:
            self.dismiss(chosen.id)
            return
        own = [answer.key for answer in self.answers if answer.key]
        keys = self.query_one("#dialog-keys", Static)
        keys.update(say("question.which", "Press one of: {keys}, ↑ ↓ and Enter, or Esc", keys=joined(own)))
        keys.add_class("-wrong")
        self.app.bell()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


def _line(answer: Answer) -> Hanging:
    rest = f"  {answer.help}" if answer.help else ""
    head = Content.assemble((f" {answer.key or ' '} ", "bold $accent"), " ")
    return Hanging((Hung(head, Content.assemble(answer.title, (rest, "$foreground-muted"))),))
