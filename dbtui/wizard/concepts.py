"""Step 2: the pictures, the word, the class; once for each subject."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import ActiveBinding
from textual.widgets import Static

from core.config.table import section_words
from core.texts import joined, say
from dbtui.actions import bindings, shown_as
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.parts import heading, heading_words, section_options
from dbtui.wizard.rows import Row
from dbtui.wizard.thumbnails import Thumbnails

ASKED_OF_A_SUBJECT = ("instance.directory", "instance.identifier", "instance.class_noun")


class ConceptsScreen(WizardScreen):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("concepts")]
    step = "concepts"

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "concepts.help",
            "Your pictures and the word for them. F4 goes on, F5 shows rare options, F8 adds another subject.",
        )

    def on_mount(self) -> None:
        """Begin with the pictures, also where a rare option stands above them, unless another field is looked for."""
        if self._goal:
            return
        next(row for row in self.query(Row) if row.path == "concepts.0.instance.directory").control.focus()

    def rows(self) -> ComposeResult:
        for number in range(self.context.concepts):
            if self.context.concepts > 1:
                yield Static(self._subject(number), id=f"subject-{number}", classes="heading")
            yield from self.fields(section_options("concepts.*"), number)
            for part in ("instance", "prior", "sample"):
                yield heading(*section_words(f"concepts.{part}"))
                yield from self.fields(section_options(f"concepts.*.{part}"), number)

    def _subject(self, number: int) -> Content:
        title = say("concepts.subject", "Subject {number}", number=number + 1)
        return heading_words(title, self.context.text(f"concepts.{number}.instance.class_noun"))

    def illustration(self) -> ComposeResult:
        yield Thumbnails()

    def illustrate(self) -> None:
        """Each subject by its class as it is now; the pictures of the one that has the focus, else of the first."""
        for number in range(self.context.concepts):
            if self.query(f"#subject-{number}"):
                self._tell(f"#subject-{number}", self._subject(number))
        shown = self.context.pictures(self.concept)
        self.query_one(Thumbnails).show(tuple((picture.path, size) for picture, size in shown))

    def action_pictures(self) -> None:
        from dbtui.wizard.pictures import PicturesScreen

        self.wizard.look(closely=True)
        self.app.push_screen(PicturesScreen(self.wizard, self.concept))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "remove_concept":
            return self.context.concepts > 1 and self.focused_row is not None
        if action == "pictures":
            return bool(self.context.pictures(self.concept) or self.context.refused(self.concept))
        return super().check_action(action, parameters)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """With Remove in the footer there is no room for Add; who has two subjects knows it."""
        return shown_as(super().active_bindings, {"add_concept": self.context.concepts == 1})

    async def action_add_concept(self) -> None:
        self.take_in()
        self.context.add_concept()
        await self._show_last()

    async def action_copy_concept(self) -> None:
        self.take_in()
        self.context.copy_concept(self.concept)
        await self._show_last()

    async def _show_last(self) -> None:
        self.wizard.changed()
        await self.rebuild()
        await self.go_to_field(f"concepts.{self.context.concepts - 1}.instance.directory")

    async def action_remove_concept(self) -> None:
        """At once where nothing was typed for it, else after a question."""
        self.take_in()
        number = self.concept
        typed = [text for field in ASKED_OF_A_SUBJECT if (text := self.context.text(f"concepts.{number}.{field}"))]
        if not typed:
            await self._remove(number)
            return
        answers = (Answer("remove", "r", say("concepts.remove", "Take it out")),
                   Answer("keep", "k", say("concepts.keep", "Keep it")))  # fmt: skip
        question = Question(say("concepts.remove.question", "Take subject {number} out of the run?", number=number + 1),
                            say("concepts.remove.text", "What was typed for it is lost: {typed}. Your pictures stay "
                                "where they are.", typed=safe(joined(typed))), answers)  # fmt: skip

        async def answered(answer: str | None) -> None:
            if answer == "remove":
                await self._remove(number)

        self.app.push_screen(question, answered)

    async def _remove(self, number: int) -> None:
        self.context.remove_concept(number)
        self.wizard.changed()
        await self.rebuild()
