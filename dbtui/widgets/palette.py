"""The menu over everything: textual's command palette in the language in force."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import SystemCommand
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.widgets.option_list import Option

from core.texts import say
from dbtui.preferences import MENU


class Commands(Provider):
    """What is possible now, in the order of the app (textual's own has that of the letters), found by a part of its
    title, or else by words of its help.
    """

    async def discover(self) -> Hits:
        for title, about, do, _ in self._possible():
            yield DiscoveryHit(title, do, help=about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, about, do, _ in self._possible():
            if (score := matcher.match(title)) > 0:
                yield Hit(1 + score, matcher.highlight(title), do, help=about)
            elif query.casefold() in about.casefold():
                yield Hit(1, title, do, help=about)

    def _possible(self) -> Iterable[SystemCommand]:
        return self.app.get_system_commands(self.screen)


class Palette(CommandPalette):
    """What textual says in English where nothing is found is a text of ours here."""

    def __init__(self) -> None:
        super().__init__([Commands], placeholder=say("palette.search", "Search for commands …"), id=MENU)

    def _start_no_matches_countdown(self, search_value: str) -> None:
        self._stop_no_matches_countdown()
        self._no_matches_timer = self.set_timer(self._NO_MATCHES_COUNTDOWN, lambda: self._found_nothing(search_value))

    def _found_nothing(self, search_value: str) -> None:
        if search_value:
            nothing = Option(say("palette.nothing", "Nothing found"), id=self._NO_MATCHES, disabled=True)
            self.query_one(CommandList).add_option(nothing)
        self._list_visible = bool(search_value)
