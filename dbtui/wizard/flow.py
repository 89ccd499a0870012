"""The way through the four screens: one context, one draft, one reader of the disk."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from textual.app import App
from textual.screen import Screen

from core.config.options import RunConfig
from core.config.table import generic, option_table
from core.families.vocabulary import count_tokens, pieces
from core.planning.survey import survey
from core.runs.pace import former_paces
from core.texts import UserError, say
from dbtui.drafts import STEPS, Draft, delete_draft, save_draft
from dbtui.home.rows import Entry
from dbtui.home.screen import HomeScreen
from dbtui.widgets.question import Answer, Question
from dbtui.wizard.asking import Asker
from dbtui.wizard.context import WizardContext, step_of
from dbtui.wizard.looked import Looked, Tokens

if TYPE_CHECKING:
    from dbtui.app import DbtuiApp
    from dbtui.wizard.base import WizardScreen

SAVE_AFTER_SECONDS = 0.4


class Wizard:
    """Lives as long as its screens do; they come and go, this stays."""

    def __init__(self, app: DbtuiApp, context: WizardContext, *, is_kept: bool = False) -> None:
        """`is_kept`: what `context` begins with is a draft on the disk."""
        self.app, self.context = app, context
        self._asker: Asker[tuple[RunConfig, bool], Looked] = Asker(app, self._survey, self._looked, self._failed)
        self._dirty = False
        self._timer_runs = False
        self._saving = threading.Lock()
        self._over = self._leaves = False
        self._is_kept = is_kept
        self._heading = ""
        """The step that is turned to, until it is shown."""

    # --- the screens --------------------------------------------------------------------------------------------------

    def screen(self, step: str) -> WizardScreen:
        from dbtui.wizard.concepts import ConceptsScreen
        from dbtui.wizard.model import ModelScreen
        from dbtui.wizard.parameters import ParametersScreen
        from dbtui.wizard.review import ReviewScreen

        screens: dict[str, type[WizardScreen]] = {
            "model": ModelScreen, "concepts": ConceptsScreen, "parameters": ParametersScreen, "review": ReviewScreen,
        }  # fmt: skip
        return screens[step](self)

    async def go(self, step: str, field: str = "") -> None:
        """Show the screen `step` in place of the one that is there, and of what lies over that, with the focus on
        `field` if one is named. Nothing happens where the wizard was left meanwhile.
        """
        shown = next((screen for screen in self.app.screen_stack if self._is_ours(screen)), None)
        if shown is None:
            return
        shown.take_in()
        while self.app.screen is not shown:
            self.app.pop_screen()  # not waited for: who asked may stand in what is taken away
        screen = self.screen(step)
        if any(option.path == generic(field) for option in option_table()):
            screen.begin_at(field)
        self._draw_no_more()
        await self.app.switch_screen(screen)
        self.changed()
        if field:
            screen.call_after_refresh(screen.go_to_field, field)

    def turn_to(self, step: str, field: str = "") -> None:
        """`go`, without waiting for it: a button of the screen that is left would wait for its own end."""
        self._heading = step
        self.app.call_later(self._turn, step, field)

    async def _turn(self, step: str, field: str) -> None:
        await self.go(step, field)
        if self._heading == step:
            self._heading = ""

    def turn_back(self, step: str) -> None:
        """To the step before `step`, or before the one that is turned to already: who presses the key three times
        quickly goes three steps back. Home before the first.
        """
        number = STEPS.index(self._heading or step)
        if number:
            self.turn_to(STEPS[number - 1])
        elif not self._heading:
            self.leave()
        else:
            self.app.call_later(self.leave)  # once that one is shown

    def leave(self) -> None:
        """Home again; what was typed is kept, and said to be. Where it cannot be kept the screen stays."""
        if not self._leaves:
            self._leaves = True
            self.app.run_worker(self._leave(self.app.screen))

    async def _leave(self, left: Screen[Any]) -> None:
        if self._is_ours(left):
            left.take_in()
        kept = await asyncio.to_thread(self.save)
        self._leaves = False
        if self.app.screen is not left:  # somebody has gone on meanwhile
            return
        if kept:
            self._go_home()
        else:
            question = Question(
                say("wizard.unkept", "Leave without what you typed?"),
                say("wizard.unkept.text", "It could not be written to the disk, and would be lost."),
                [Answer("stay", "s", say("wizard.unkept.stay", "Stay here")),
                 Answer("leave", "l", say("wizard.unkept.leave", "Leave"))],
            )  # fmt: skip
            self.app.push_screen(question, lambda answer: self._go_home() if answer == "leave" else None)

    def _go_home(self) -> None:
        self._draw_no_more()
        self.app.pop_screen()
        if self._is_kept and not self._dirty:
            told = say("wizard.kept.elsewhere", "What you typed is kept, as a draft among your runs.")
            if isinstance(self.app.screen, HomeScreen):
                told = say("wizard.kept", "What you typed is kept: Enter on the draft in the list goes on with it.")
                self.app.screen.stand_on(Entry("", draft=self.context.draft()))
            self.app.notify(told, markup=False)

    async def close(self) -> None:
        """Take the screens away, and what lies over them."""
        self._draw_no_more()
        while any(getattr(screen, "wizard", None) is self for screen in self.app.screen_stack):
            await self.app.pop_screen()

    def _draw_no_more(self) -> None:
        """The screen that is left loses its parts one by one, and may be asked to draw in between."""
        for screen in self.app.screen_stack:
            if self._is_ours(screen):
                screen.is_ready = False

    def _is_ours(self, screen: Screen[Any]) -> TypeGuard[WizardScreen]:
        from dbtui.wizard.base import WizardScreen

        return isinstance(screen, WizardScreen) and screen.wizard is self

    # --- the disk and the vocabulary ----------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self._asker.is_busy

    def look(self, *, closely: bool = False) -> None:
        """Ask the disk if the fields have changed; Review, and who looks `closely`, wants every picture decoded."""
        decode = closely or self.context.step == "review"
        if self.context.needs_look(decode):
            self._asker.ask((self.context.config, decode), at_once=self.context.looked is None)

    def look_again(self) -> None:
        """Ask the disk although no field has changed: a file has."""
        looked = self.context.looked
        self._asker.ask((self.context.config, looked is not None and looked.decoded), at_once=True)

    def _survey(self, question: tuple[RunConfig, bool]) -> Looked:
        config, decode = question
        facts = survey(config, self.context.home, decode=decode)
        words = [concept.instance.identifier for concept in config.concepts]
        tokens = tuple(Tokens(count_tokens(word), tuple(pieces(word))) for word in words)
        return Looked(facts, tokens, decode, former_paces(self.context.home) if decode else ())

    def _looked(self, question: tuple[RunConfig, bool], looked: Looked) -> None:
        self.context.take(question[0], looked)
        self._show()

    def _failed(self, error: Exception) -> None:
        self.app.say(error)

    def _show(self) -> None:
        from dbtui.wizard.base import WizardScreen
        from dbtui.wizard.pictures import PicturesScreen

        for screen in self.app.screen_stack:
            if isinstance(screen, (WizardScreen, PicturesScreen)) and screen.wizard is self:
                screen.show()

    # --- the draft ----------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Something was typed or a screen was reached: look again, and keep the draft soon."""
        self.look()
        self._dirty = True
        if not self._timer_runs:
            self._timer_runs = True
            self.app.set_timer(SAVE_AFTER_SECONDS, self._save_in_thread)

    def _save_in_thread(self) -> None:
        self._timer_runs = False
        self.save_soon()

    def save_soon(self) -> None:
        """`save` without waiting for the disk; the program does not end before it is done."""
        threading.Thread(target=self.save, name="draft").start()

    def save(self) -> bool:
        """Write the draft if it differs from what is on disk; the newest wins whoever comes last. Whether everything
        is kept. In any thread.
        """
        context = self.context
        with self._saving:
            if self._over or not self._dirty or not context.is_worth_keeping:
                return True
            self._dirty = False
            try:
                save_draft(context.home, context.draft())
            except (OSError, UserError) as error:
                self._dirty = True
                self.app.call_later(self.app.say, error)
                return False
            self._is_kept = True
            return True

    def forget_draft(self) -> None:
        """The run is made: there is nothing left to continue."""
        with self._saving:
            self._over = True
            delete_draft(self.context.home, self.context.id)


def start(app: App[int], home: Path, draft: Draft | None, field: str = "") -> None:
    """Open the wizard over the present screen, unless another is there by then: presets are read in a thread. An own
    preset that cannot be read is said, and nothing is opened. With the focus on `field` if one is named.
    """
    dbtui, below = cast("DbtuiApp", app), app.screen

    def opened(context: WizardContext) -> None:
        if app.screen is below:
            if field:
                context.step = step_of(field)
            wizard = Wizard(dbtui, context, is_kept=draft is not None and draft.changed > 0)
            screen = wizard.screen(context.step)
            app.push_screen(screen)
            if field:
                screen.call_after_refresh(screen.go_to_field, field)

    def read() -> None:
        try:
            context = WizardContext(home, draft)
        except UserError as error:
            dbtui.call_later(dbtui.say, error)
            return
        dbtui.call_later(opened, context)

    app.run_worker(read, thread=True, group="wizard", exclusive=True)
