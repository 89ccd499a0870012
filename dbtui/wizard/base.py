"""What the four screens share: the line of steps, the form, its help, and the ways forward, back and out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ActiveBinding
from textual.widget import Widget
from textual.widgets import Button, Static

from core.config.table import Option, generic, option_table
from core.texts import say
from dbtui.actions import bindings, said_as
from dbtui.drafts import STEPS
from dbtui.widgets.footer import Footer
from dbtui.widgets.hanging import Hanging
from dbtui.widgets.title import TitleBar
from dbtui.wizard.completion import PathCompletion, completion_help
from dbtui.wizard.context import read_presets
from dbtui.wizard.editing import Editing
from dbtui.wizard.explaining import explain, help_of, shortened
from dbtui.wizard.notes import finding_lines, lines_for
from dbtui.wizard.parts import Form, HelpColumn
from dbtui.wizard.rows import PATH_KINDS, Choice, Field, Row, RowState, Switched, go
from dbtui.wizard.steps import STEPS as TITLES

if TYPE_CHECKING:
    from dbtui.wizard.flow import Wizard

CHANGING = ("fix", "put_back", "browse", "remove_concept", "choose_cards", "pictures")
"""Actions that come and go with the focus and with what is typed."""


ESCAPE_SECONDS = 5.0
"""A word on what Esc does stays so long, and is not said again meanwhile."""


class WizardScreen(Editing):
    """One step. A subclass says `step` and composes its `rows`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("wizard"),
        Binding("tab", "go(1)", show=False, priority=True),
        Binding("shift+tab", "go(-1)", show=False, priority=True),
        Binding("up", "go(-1)", show=False),  # from the button at the end: every field has its own
        Binding("slash", "find", show=False),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
    ]
    CSS_PATH = "wizard.tcss"
    AUTO_FOCUS = ".control"

    def __init__(self, wizard: Wizard) -> None:
        super().__init__(wizard)
        self._goal = ""
        self._told_escape = -ESCAPE_SECONDS
        self._possible: tuple[bool, ...] = ()
        self._told: dict[str, Content | Hanging] = {}

    # --- drawing ------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield TitleBar(say("wizard.title", "New run"))
        yield Static(self._steps(), id="steps")
        with Horizontal(id="body"):
            with Form(id="form"):
                yield Static("", id="general")
                yield from self.rows()
            with Vertical(id="column"):
                yield HelpColumn()
                yield from self.illustration()
        with Horizontal(id="ending"):
            yield from self.ending()
            yield Static(say("wizard.below", "▼ more (↓)"), id="below", markup=False)
        yield Static("", id="hint", markup=False)
        yield Footer()

    def rows(self) -> ComposeResult:
        """Headings and fields."""
        raise NotImplementedError

    def illustration(self) -> ComposeResult:
        """What stands under the help where there is a column for it."""
        yield from ()

    def ending(self) -> ComposeResult:
        following = say("wizard.next", "Next: {step}", step=TITLES[STEPS[STEPS.index(self.step) + 1]])
        yield Button(following, id="next", compact=True, action="screen.next")

    def fields(self, options: Sequence[Option], number: int = 0) -> Iterator[Widget]:
        """A row for each option that is to be seen: the everyday ones, and the rest once asked for or touched."""
        for option in options:
            path = option.path.replace("*", str(number))
            asked_for = self.context.more or self.context.is_changed(path) or path == self._goal
            if not option.more or asked_for or self._counts_instead(path, options):
                yield self.row(path, option)

    def _counts_instead(self, path: str, options: Sequence[Option]) -> bool:
        """Whether it is an interval in steps that is in force because its everyday one, in epochs, is not."""
        everyday = path.removesuffix("_steps") + "_epochs"
        if not path.endswith("_every_steps") or everyday not in [option.path for option in options]:
            return False
        return bool(self.context.value(path)) and not self.context.value(everyday)

    def row(self, path: str, option: Option, choices: Sequence[tuple[str, str]] = ()) -> Row:
        row = Row(path, option, self._state(path), choices)
        row.set_class(path == self._goal, "goal")
        return row

    def begin_at(self, path: str) -> None:
        """Before it is shown: the focus begins at this field, so that what is typed ahead goes nowhere else."""
        self._goal = path
        self.AUTO_FOCUS = ".goal .control"

    def on_mount(self) -> None:
        self.is_ready = True
        self.context.step = self.step
        self._complete_paths()
        self.wizard.look()
        self.show()

    def _complete_paths(self) -> None:
        for row in self.query(Row):
            if row.option.kind in PATH_KINDS and isinstance(row.control, Field):
                self.mount(PathCompletion(row.control, files=row.option.kind == "path"))

    def show(self) -> None:
        """Draw what the context says now."""
        if not self.is_ready:
            return
        for row in self.query(Row):
            row.show(self._state(row.path))
        self._tell("#steps", self._steps())
        seen = {row.path for row in self.query(Row)}
        loose = [finding for finding in self.context.findings_of(self.step)
                 if finding.field not in seen and self.context.shown(finding)]  # fmt: skip
        loose += self.context.taken_name(self.step)
        lines = [line.hung() for finding in loose for line in finding_lines(finding)]
        if self._tell("#general", Hanging.of(lines)):
            self.query_one("#general").display = bool(lines) and self.step != "review"
        self._explain()
        self._keys_changed()
        focused = self.focused_row
        if focused is not None:
            focused.call_after_refresh(focused.scroll_visible, animate=False)

    def _tell(self, place: str, content: Content | Hanging) -> bool:
        """Put `content` into the Static `place`; False where it stands there already and nothing is to be drawn."""
        if self._told.get(place) == content:
            return False
        self._told[place] = content
        self.query_one(place, Static).update(content)
        return True

    def _state(self, path: str) -> RowState:
        context = self.context
        changed = context.is_changed(path)
        marked = changed and context.base_text(path) != ""
        return RowState(context.text(path), changed, marked, lines_for(context, path, self.wizard.is_busy))

    def _steps(self) -> Content:
        parts: list[Content] = []
        here = STEPS.index(self.step)
        for number, step in enumerate(STEPS):
            wrong = [finding for finding in self.context.errors_of(step) if self.context.shown(finding)]
            title = f"{number + 1} {TITLES[step]}"
            if number == here:
                parts.append(Content.assemble((title, "bold"), (" ●", "bold $accent")))
            elif step != "review" and wrong:
                parts.append(Content.assemble(title, (" ✗", "$text-error")))
            elif number < here:
                parts.append(Content.assemble(title, (" ✓", "$text-success")))
            else:
                parts.append(Content(title).stylize("$foreground-muted"))
        return Content("   ").join(parts)

    # --- help ---------------------------------------------------------------------------------------------------------

    def guidance(self) -> Content | Hanging:
        """What F1 says: the focused field, with its messages in full."""
        row = self.focused_row
        if row is None:
            return Content((self.HELP or "").strip())
        said = [line.hung() for line in row.state.lines]
        gap = [Content("")] if said else []
        lists = [Content(""), Content(completion_help())] if row.option.kind in PATH_KINDS else []
        return Hanging.of([explain(self.context, row.path, row.option), *gap, *said, *lists])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._explain()
        self._keys_changed()
        self.call_after_refresh(self._put_notices_aside)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        node = event.widget
        if isinstance(node, (Field, Choice, Switched)) and node.is_attached:
            row = node.parent.parent if node.parent else None
            if isinstance(row, Row) and row.path not in self.context.visited:
                self.context.visited.add(row.path)
                self.call_after_refresh(self.show)

    def _explain(self) -> None:
        if not self.is_ready:
            return
        row = self.focused_row
        text: Content | Hanging = Content((self.HELP or "").strip())
        if row is not None:
            text = explain(self.context, row.path, row.option)
        self._tell("#help", text)
        hint = help_of(self.context, row.option) if row is not None else (self.HELP or "").strip().partition("\n")[0]
        self._tell("#hint", shortened(hint, self.size.width - 4))
        self.illustrate()

    def illustrate(self) -> None:
        """Bring the illustration up to what the context says and what has the focus."""

    # --- editing ------------------------------------------------------------------------------------------------------

    def on_row_edited(self, event: Row.Edited) -> None:
        event.stop()
        if event.row.is_attached:
            self.context.edit(event.row.path, event.row.text)
        self.wizard.changed()
        self.show()

    def take_in(self) -> None:
        """What stands in the fields counts from now on, though the messages that say so are still on their way: a page
        that is left would never get them.
        """
        ahead = [row for row in self.query(Row) if row.is_ahead]
        for row in ahead:
            self.context.edit(row.path, row.text)
        if ahead:
            self.wizard.changed()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """F6 where something can be put back, F2 where something can be mended, F7 where a path is asked for."""
        if action == "put_back":
            row = self.focused_row
            return row is not None and row.state.changed
        if action == "browse":
            row = self.focused_row
            return row is not None and row.option.kind in PATH_KINDS
        if action == "fix":
            return bool(self._fixes())
        return True

    def _keys_changed(self) -> None:
        """Draw the footer anew if a key came or went."""
        if not self.is_ready:
            return
        possible = tuple(bool(self.check_action(action, ())) for action in CHANGING)
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    async def action_go(self, by: int) -> None:
        """Tab, before the next letter is given to any field: who types ahead of the screen hits the right one."""
        if by > 0 and isinstance(self.focused, Field):
            await self.focused.action_go_on()
        else:
            go(self, by)

    def action_scroll(self, pages: int) -> None:
        form = self.query_one(Form)
        form.scroll_relative(y=pages * max(1, form.size.height - 2), animate=False)

    def on_form_moved(self) -> None:
        """A mark at the end tells that there is more below."""
        for form, below in zip(self.query(Form), self.query("#below"), strict=False):  # none while it is composed anew
            below.visible = form.goes_on
        self.call_after_refresh(self._put_notices_aside)

    def _put_notices_aside(self) -> None:
        """Notices come up where there is more room beside the focused field and what is said of it."""
        row = self.focused_row
        if row is not None and self.is_ready:
            form = self.query_one(Form).region
            self.set_class(row.region.y - form.y > form.bottom - row.region.bottom, "-low")

    # --- ways ---------------------------------------------------------------------------------------------------------

    async def action_next(self) -> None:
        """To the next screen, or to the first field that is wrong."""
        self.take_in()
        self.context.visit(self.step)
        errors = [finding.field for finding in self.context.errors_of(self.step)]
        self.show()
        if errors:
            first = (row.path for row in self.query(Row) if row.path in errors)
            await self.go_to_field(next(first, errors[0]))
        else:
            self.wizard.turn_to(STEPS[STEPS.index(self.step) + 1])

    def action_escape(self) -> None:
        """Nothing lies over the form: say so, and that nothing was to be lost."""
        if time.monotonic() - self._told_escape > ESCAPE_SECONDS:
            self._told_escape = time.monotonic()
            told = say("wizard.escape", "Nothing is open to close. F3 goes back; what you typed is kept.")
            self.app.notify(told, timeout=ESCAPE_SECONDS, markup=False)

    def action_back(self) -> None:
        self.wizard.turn_back(self.step)

    async def go_to_field(self, path: str) -> None:
        """Put the focus on the field, showing it first if it is hidden."""
        if not any(row.path == path for row in self.query(Row)) and any(
            option.path == generic(path) for option in option_table()
        ):
            self._goal = path
            await self.rebuild()
        for row in self.query(Row):
            if row.path == path or row.path.startswith(f"{path}."):
                self._stand_on(row)
                return
        self._focus_any()

    def _stand_on(self, row: Row) -> None:
        """At once, for what is typed next; and in sight, once the screen is laid out."""
        self.set_focus(row.control)
        self.call_after_refresh(row.scroll_visible, animate=False)

    def _focus_any(self) -> None:
        if self.focused is None or not self.focused.is_attached:
            self.set_focus(next((row.control for row in self.query(Row)), None))

    async def action_more(self) -> None:
        self.take_in()
        self.context.more = not self.context.more
        await self.rebuild()

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """F5 is named for what it does next."""
        active = super().active_bindings
        return said_as(active, {"more": (say("wizard.less", "Less"), "")}) if self.context.more else active

    async def in_other_words(self) -> None:
        """The language has changed."""
        self.context.in_other_words(await asyncio.to_thread(read_presets))
        await self.rebuild()

    async def rebuild(self) -> None:
        """Compose anew, with the focus where it was."""
        row = self.focused_row
        path = row.path if row is not None else ""
        self.is_ready = False
        await self.recompose()
        self._told.clear()
        self.is_ready = True
        self._complete_paths()
        self.show()
        for found in self.query(Row):
            if found.path == path:
                self._stand_on(found)
                return
        self._focus_any()

    def on_unmount(self) -> None:
        self.wizard.save_soon()
