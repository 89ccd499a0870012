"""The line of keys: Textual's, made anew only when another key stands in it."""

from __future__ import annotations

from textual.screen import Screen
from textual.widgets import Footer as TextualFooter


class Footer(TextualFooter):
    """Textual's own is made anew at every look, focus and tick that could change a key, and keeps what it was before:
    each of its keys watches it for ever, a dozen more widgets each time.
    """

    _made_of: tuple[object, ...] = ()

    def bindings_changed(self, screen: Screen[object]) -> None:
        wanted = self._keys(screen)
        if wanted != self._made_of or not self._bindings_ready:
            self._made_of = wanted if screen.app.app_focus else ()  # without the focus Textual leaves it as it is
            super().bindings_changed(screen)

    async def recompose(self) -> None:
        await super().recompose()
        self.mutate_reactive(TextualFooter.compact)  # on which Textual forgets the watchers that are gone

    def _keys(self, screen: Screen[object]) -> tuple[object, ...]:
        return tuple(
            (one.binding, self.app.get_key_display(one.binding), one.enabled, one.tooltip)
            for one in screen.active_bindings.values() if one.binding.show
        )  # fmt: skip
