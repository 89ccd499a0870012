"""A field found by typing a part of its name: a list over the options of every screen."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option as Line

from core.config.searching import find_options, section_title
from core.config.table import Option, option_table
from core.texts import say
from dbtui.actions import binding
from dbtui.safe import safe
from dbtui.widgets.hanging import Hanging
from dbtui.wizard.context import WizardContext
from dbtui.wizard.explaining import explain, shortened
from dbtui.wizard.rows import Field
from dbtui.wizard.values import in_words

HELP_LINES = 3
"""Of the highlighted field, under the list."""
TITLE_CELLS, SECTION_CELLS, VALUE_CELLS = 32, 18, 18


class Wanted(Field):
    """The words that are looked for; the arrows walk through the list below. What is typed ahead counts: no key of it
    acts before the letters that came first are in the list.
    """

    BINDINGS = [
        Binding("up", "walk(-1)", show=False),
        Binding("down", "walk(1)", show=False),
        Binding("enter", "take", show=False),
    ]

    def action_walk(self, by: int) -> None:
        listing = self._listing()
        (listing.action_cursor_down if by > 0 else listing.action_cursor_up)()

    def action_take(self) -> None:
        self._listing().action_select()

    def _listing(self) -> OptionList:
        """Of what is typed now."""
        screen = self.screen
        assert isinstance(screen, FindField)
        screen.catch_up(self.value)
        return screen.query_one(OptionList)


class FindField(ModalScreen[str | None]):
    """Dismissed with the path of the field, or `None`."""

    BINDINGS = [binding("finding.close", "escape", "dismiss(None)", "Close", "Closes the list and changes nothing.")]

    def __init__(self, context: WizardContext, number: int = 0) -> None:
        super().__init__()
        self.context, self.number = context, number
        self.found: list[Option] = []
        self._listed = ""

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say("finding.help", "Type a part of a field's name. Enter goes to it, on whatever screen it stands.")

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(Content(say("finding.title", "Find a field")).stylize("bold"), markup=False)
            yield Wanted(placeholder=say("finding.example", "for example rate, crop, prior_loss"), compact=True,
                         select_on_focus=False)  # fmt: skip
            yield OptionList(compact=True, markup=False, id="found")
            yield Static("", id="found-help", markup=False)
            keys = say("finding.keys", "↑ ↓ choose · Enter goes there · Esc closes")
            yield Static(keys, id="dialog-keys", markup=False)

    def on_mount(self) -> None:
        self.query_one("#found", OptionList).can_focus = False
        self.query_one(Wanted).focus()
        self._list("")

    async def on_key(self, event: events.Key) -> None:
        """What is typed before the field has the focus belongs into it, too."""
        if not self.query_one(Wanted).has_focus and event.key != "escape":
            event.stop()
            self.query_one(Wanted).post_message(event)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.catch_up(event.input.value)

    def catch_up(self, text: str) -> None:
        """List what is meant by `text`, unless it is listed."""
        if text != self._listed:
            self._list(text)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._explain_again()  # a letter may have changed the list since

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option_id)

    def _list(self, text: str) -> None:
        self._listed = text
        self.found = find_options(text, option_table())
        listing = self.query_one("#found", OptionList)
        listing.clear_options()
        listing.add_options([Line(self._line(option), id=self._path(option)) for option in self.found])
        listing.highlighted = 0 if self.found else None
        if not self.found:
            self.query_one("#found-help", Static).update(say("finding.none", "No field is called so."))

    def _line(self, option: Option) -> Content:
        value = safe(in_words(self.context.value(self._path(option))))
        title = Content(option.title).truncate(TITLE_CELLS, ellipsis=True, pad=True)
        section = Content(section_title(option)).truncate(SECTION_CELLS, ellipsis=True, pad=True)
        return Content.assemble(title, "  ", section.stylize("$foreground-muted"), "  ",
                                Content(value).truncate(VALUE_CELLS, ellipsis=True))  # fmt: skip

    def _explain(self, option: Option) -> None:
        foot = self.query_one("#found-help", Static)
        foot.update(shortened(option.help, foot.content_size.width or self.size.width, HELP_LINES))

    def on_resize(self) -> None:
        """A text for another width."""
        self.call_after_refresh(self._explain_again)

    def _explain_again(self) -> None:
        highlighted = self.query_one("#found", OptionList).highlighted
        if highlighted is not None:
            self._explain(self.found[highlighted])

    def guidance(self) -> Hanging:
        """What F1 says: what this list is for, and the highlighted field in full."""
        highlighted = self.query_one("#found", OptionList).highlighted
        told = [Content(self.HELP)]
        if highlighted is None:
            return Hanging.of(told)
        option = self.found[highlighted]
        return Hanging.of([explain(self.context, self._path(option), option), Content(""), *told])

    def _path(self, option: Option) -> str:
        return option.path.replace("*", str(self.number))
