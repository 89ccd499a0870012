"""What a person may choose for every screen: the language, the looks, how pictures are drawn. Remembered. And the
notices, which stand on whichever screen is on top.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from textual.app import App
from textual.binding import Binding
from textual.screen import ModalScreen

from core.texts import UserError, say
from dbtui.actions import relabel
from dbtui.looks import theme_of

if TYPE_CHECKING:
    from dbtui.widgets import graphics
    from dbtui.widgets.question import Question

MENU = "--command-palette"
"""What textual calls the screen of the menu; to ask for its class would import all that it needs."""


class Telling(Protocol):
    """What can say that something went wrong."""

    def say(self, error: BaseException) -> None:
        """Show an error as a notice."""


async def kept(app: Telling, keep: Callable[..., object], *chosen: object, **settings: object) -> None:
    """Keep what was chosen; where that fails, the app says so and goes on with it."""
    try:
        await asyncio.to_thread(keep, *chosen, **settings)
    except UserError as error:
        app.say(error)


class Preferences(App[int]):
    """A telling app with a key for each of them; every screen follows at once."""

    def push_screen(self, *arguments: Any, **options: Any) -> Any:
        """A screen that opens has its title and its first lines to be read: what only informed stands over none of it,
        what went wrong still does.
        """
        for notice in list(self._notifications):
            if notice.severity == "information":
                self._unnotify(notice, refresh=False)
        return super().push_screen(*arguments, **options)

    def get_key_display(self, binding: Binding) -> str:
        """As textual has it (`f1`, `^p`), but the one key that has a word for its name says it in our language."""
        return say("key.space", "Space").lower() if binding.key == "space" else super().get_key_display(binding)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What a dialog says was said when it was opened: the language changes under none. The menu is none: it goes
        before it does what was chosen.
        """
        if action != "language":
            return True
        below = [screen for screen in self.screen_stack if screen.id != MENU]
        return not isinstance(below[-1], ModalScreen)

    def _ask(self, question: Question, then: Callable[[Any], Any]) -> None:
        """Ask over whatever is shown, unless it is asked already."""
        if all(screen.id != question.id for screen in self.screen_stack):
            self.push_screen(question, then)

    def action_language(self) -> None:
        from core.languages import LANGUAGES
        from dbtui.widgets.question import Answer, Question

        answers = [Answer(name, str(number), title) for number, (name, title) in enumerate(LANGUAGES.items(), 1)]
        self.push_screen(Question(say("language.question", "Which language?"), "", answers), self._speak)

    async def _speak(self, chosen: str | None) -> None:
        """Show every screen in the language `chosen`, and remember it."""
        from core.languages import SETTING, put_in_force
        from core.settings import remember

        if chosen is None:
            return
        put_in_force(chosen)
        relabel()
        for screen in self.screen_stack:
            anew = getattr(screen, "in_other_words", None)
            await (anew() if anew is not None else screen.recompose())
        self.screen.refresh_bindings()
        await kept(self, remember, **{SETTING: chosen})

    def action_looks(self) -> None:
        from dbtui.looks import TITLES, possible
        from dbtui.widgets.question import Answer, Question

        answers = [Answer(name, str(number), TITLES[name])
                   for number, name in enumerate(possible(no_color=self.no_color), 1)]  # fmt: skip
        self._ask(Question(say("looks.question", "How shall it look?"), "", answers, id="looks"), self._look_so)

    async def _look_so(self, chosen: str | None) -> None:
        from core.settings import remember
        from dbtui.looks import SETTING

        if chosen is None:
            return
        self.theme = theme_of(chosen, no_color=self.no_color)
        await kept(self, remember, **{SETTING: chosen})

    def action_graphics(self) -> None:
        """How pictures are drawn, from now on and the next time."""
        from dbtui.widgets.graphics import NAMES, about_protocols
        from dbtui.widgets.question import Answer, Question

        answers = [Answer(known, str(number), NAMES[known], about)
                   for number, (known, about) in enumerate(about_protocols().items(), 1)]  # fmt: skip
        question = Question(say("graphics.question", "How shall pictures be drawn?"), "", answers, id="graphics")
        self._ask(question, self._draw_so)

    async def _draw_so(self, chosen: graphics.Protocol | None) -> None:
        from dbtui.widgets.graphics import put_in_force

        if chosen is None:
            return
        await kept(self, put_in_force, chosen)
        self.draw_pictures_anew()

    def draw_pictures_anew(self) -> None:
        """Another way of drawing was chosen, or the terminal has said which it knows."""
        from dbtui.widgets.picture import Picture

        for screen in self.screen_stack:
            for picture in screen.query(Picture):
                picture.again()
