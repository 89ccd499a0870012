"""Step 4: the plan in words, the learning-rate curve, what is still wrong, and where to run."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Region
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from core.config.findings import Finding, Fix, Level
from core.machine import Card
from core.runs.folder import Run
from core.runs.queue import add
from core.texts import UserError, joined, say
from dbtui import __version__
from dbtui.actions import bindings
from dbtui.safe import safe
from dbtui.widgets.hanging import Hanging
from dbtui.widgets.question import Answer, Question, key_of
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.context import step_of
from dbtui.wizard.curve import RateCurve
from dbtui.wizard.notes import finding_lines
from dbtui.wizard.parts import Form, heading, heading_words
from dbtui.wizard.words import PlanLines, group_help, group_title, plan_in_words


class Listed(Option):
    """A line of the list, and what it stands for."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(Hanging.of(line.hung() for line in finding_lines(finding)))
        self.finding = finding


class Findings(OptionList, inherit_bindings=False):
    """What is still to be mended, as long as it is: the form scrolls, not the list. Enter goes to the field. The arrows
    go on to the plan behind the last finding, as if both were one list.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("enter", "select", show=False),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The arrows are the list's own as long as the chosen finding is seen and there is another one to go to."""
        if action not in ("cursor_up", "cursor_down"):
            return True
        last = 0 if action == "cursor_up" else self.option_count - 1
        form = self.screen.query_one(Form)
        return self.highlighted not in (None, last) and form.region.contains_point(self._place.offset)

    def action_cursor_up(self) -> None:
        super().action_cursor_up()
        self._show_chosen()

    def action_cursor_down(self) -> None:
        super().action_cursor_down()
        self._show_chosen()

    def on_focus(self) -> None:
        self.call_after_refresh(self._show_chosen)

    def scroll_to_highlight(self, top: bool = False) -> None:
        """Nothing to do in a list that is as long as it is; the form stays where it was scrolled to."""

    @property
    def _place(self) -> Region:
        """Where the chosen finding stands on the screen, were all of it shown."""
        number = self.highlighted or 0
        x, y, width, _ = self.content_region
        return Region(x, y + self._index_to_line.get(number, 0), width, self._heights.get(number, 1))

    def _show_chosen(self) -> None:
        form = self.screen.query_one(Form)
        if not self.highlighted:  # with the heading, which says what keys do here
            form.scroll_home(animate=False)
            return
        place = self._place.translate(form.scroll_offset - form.content_region.offset)
        form.scroll_to_region(place, animate=False)


class ReviewScreen(WizardScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("review"),
        Binding("up", "scroll_lines(-1)", show=False),
        Binding("down", "scroll_lines(1)", show=False),
        Binding("home", "scroll_to(0)", show=False),
        Binding("end", "scroll_to(1)", show=False),
    ]
    AUTO_FOCUS = ""
    step = "review"

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "review.help",
            "The plan. s starts it here, b in the background, w in the queue; F3 goes back.\n\n"
            "Here: it trains in this program and its monitor opens. If the terminal closes, it trains on.\n\n"
            "In the background: a process of its own trains it. You can leave, log out, and come back with dbtui "
            "attach.\n\n"
            "In the queue: it waits until what waits before it is trained. Nothing that was typed is lost on the way.",
        )

    def rows(self) -> ComposeResult:
        with Vertical(id="findings-part"):
            yield Static("", id="findings-heading", classes="heading")
            yield Findings(id="findings", compact=True, markup=False)
        yield heading(say("review.plan", "The plan"))
        yield PlanLines()
        yield heading(
            say("review.rate", "Learning rate"), say("review.rate.by", "how far each update goes, over the run")
        )
        yield RateCurve()

    def ending(self) -> ComposeResult:
        yield Button(say("review.start", "Start here (s)"), id="here", compact=True, action="screen.start")
        background = say("review.start-background", "Start in the background (b)")
        yield Button(background, compact=True, action="screen.start_background")
        yield Button(say("review.enqueue", "In the queue (w)"), compact=True, action="screen.enqueue")

    def on_mount(self) -> None:
        self.context.visit("model")
        self.context.visit("concepts")
        self.context.visit("parameters")
        super().on_mount()

    def show(self) -> None:
        if not self.is_ready:
            return
        findings = self.query_one(Findings)
        listed = [Listed(finding) for finding in self.context.findings]
        highlighted = findings.highlighted
        findings.clear_options()
        findings.add_options(listed)
        findings.highlighted = min(highlighted or 0, len(listed) - 1) if listed else None
        was_listed, has_focus = self.query_one("#findings-part").display, findings.has_focus
        self.query_one("#findings-part").display = bool(listed)
        if self.focused is None or has_focus > bool(listed) or (bool(listed) > was_listed and self._is_on_start):
            self.set_focus(findings if listed else self.query_one("#here"))
        self.query_one(PlanLines).show(plan_in_words(self.context, self.wizard.is_busy))
        self.query_one(RateCurve).show(self.context.config, self.context.plan())
        super().show()

    @property
    def _is_on_start(self) -> bool:
        return self.focused is self.query_one("#here")

    def illustrate(self) -> None:
        """What keys do in the list is promised only while they do it."""
        keys = [say("review.findings.there", "Shift+Tab goes there")]
        chosen = self._chosen
        if chosen is not None:
            keys = (
                [say("review.findings.enter", "Enter goes to the field")] if step_of(chosen.field) != "review" else []
            )
            keys += [say("review.findings.mends", "F2 mends")] if chosen.fixes else []
        self._tell("#findings-heading", heading_words(say("review.findings", "To look at"), joined(keys)))

    def on_option_list_option_highlighted(self) -> None:
        self.illustrate()
        self._keys_changed()

    @property
    def _chosen(self) -> Finding | None:
        """The finding that keys act on, while the list has the focus."""
        listed = self.query_one(Findings).highlighted_option
        return listed.finding if isinstance(listed, Listed) and self.query_one(Findings).has_focus else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if isinstance(event.option, Listed):
            self._go_to(event.option.finding)

    def _go_to(self, finding: Finding) -> None:
        step = step_of(finding.field)
        if step != "review":
            self.wizard.turn_to(step, finding.field)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is no next screen: what comes next is the start, here or in the background."""
        if action == "choose_cards":
            return bool(self.context.groups)
        return action != "next" and super().check_action(action, parameters)

    def action_scroll_lines(self, lines: int) -> None:
        self.query_one(Form).scroll_relative(y=lines, animate=False)

    def action_scroll_to(self, end: int) -> None:
        form = self.query_one(Form)
        form.scroll_to(y=form.max_scroll_y if end else 0, animate=False)

    def action_start(self) -> None:
        self._start("here")

    def action_start_background(self) -> None:
        self._start("background")

    def action_enqueue(self) -> None:
        self._start("queue")

    def _start(self, where: str) -> None:
        errors = [finding for finding in self.context.findings if finding.level is Level.ERROR]
        if errors:
            self._go_to(errors[0])
            self.app.notify(say("review.errors", "This must be mended before it can start."), severity="warning",
                            markup=False)  # fmt: skip
            return
        if self.wizard.is_busy:
            self.app.notify(say("review.busy", "Every picture is being looked at once more. One moment, then press "
                                "again."), markup=False)  # fmt: skip
            return
        if where == "here" and self.dbtui.is_training:
            self.app.notify(say("review.one-trains", "A run is training in this program already: start this one in the "
                                "background (b)."), severity="warning", markup=False)  # fmt: skip
            return
        context = self.context
        home, config, preset, cards = context.home, context.config, context.preset, context.cards
        takes = context.duration()
        app = self.dbtui
        seconds = takes.total if takes is not None and takes.is_whole else None

        def make() -> Run | None:
            try:
                run = Run.create(home, config, __version__, preset=preset)
            except UserError as error:
                if error.code != "run.name-in-use":
                    raise
                return None
            if where == "queue":
                try:
                    add(home, run, cards=cards, seconds=seconds)
                except (UserError, OSError):
                    run.delete()
                    raise
            try:
                self.wizard.forget_draft()
            except OSError as error:
                app.call_later(app.say, error)
            return run

        async def made(run: Run | None) -> None:
            if run is None:
                self._name_was_taken()
                return
            await self.wizard.close()
            if where == "queue":
                app.follow(run.name)
                told = say("review.enqueued", "{name} waits its turn. w shows the queue, and starts it.",
                           name=safe(run.name))  # fmt: skip
                app.notify(told, markup=False)
            else:
                app.start_run(run, resume=False, background=where == "background", cards=cards)

        self.alone(make, made)

    def _name_was_taken(self) -> None:
        """Somebody has made a run of that name since the disk was looked at: look again, at the field that mends it."""
        self.wizard.look_again()
        self.wizard.turn_to("model", "model.name")
        self.app.notify(say("review.name-taken", "A run named {name} has been made meanwhile: F2 takes a free name.",
                            name=safe(self.context.config.model.name)), severity="warning", markup=False)  # fmt: skip

    def action_choose_cards(self) -> None:
        groups, present = self.context.groups, self.context.cards
        answers = [Answer(str(number), key_of(number), group_title(group),
                          group_help(group, present)) for number, group in enumerate(groups, 1)]  # fmt: skip
        question = Question(say("cards.question", "Which graphics card?"), "", answers)
        self.app.push_screen(question, lambda chosen: self._give(groups[int(chosen) - 1]) if chosen else None)

    def _give(self, group: tuple[Card, ...]) -> None:
        self.context.give_cards(tuple(card.id for card in group))
        self.show()
        self._keys_changed()

    def _fixes(self) -> list[Fix]:
        """Those of the highlighted finding while the list has the focus; every one where it has none to offer."""
        chosen = self._chosen if self._chosen is not None and self._chosen.fixes else None
        listed = [option.finding for option in self.query_one(Findings).options if isinstance(option, Listed)]
        return [fix for finding in ([chosen] if chosen is not None else listed) for fix in finding.fixes]
