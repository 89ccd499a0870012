"""The menu over everything: textual's command palette in the language in force."""

from __future__ import annotations

from textual.command import CommandList, CommandPalette
from textual.widgets.option_list import Option

from core.texts import say


class Palette(CommandPalette):
    """What textual says in English where nothing is found is a text of ours here."""

    def __init__(self) -> None:
        super().__init__(placeholder=say("palette.search", "Search for commands …"), id="--command-palette")

    def _start_no_matches_countdown(self, search_value: str) -> None:
        self._stop_no_matches_countdown()
        self._no_matches_timer = self.set_timer(self._NO_MATCHES_COUNTDOWN, lambda: self._found_nothing(search_value))

    def _found_nothing(self, search_value: str) -> None:
        if search_value:
            nothing = Option(say("palette.nothing", "Nothing found"), id=self._NO_MATCHES, disabled=True)
            self.query_one(CommandList).add_option(nothing)
        self._list_visible = bool(search_value)
