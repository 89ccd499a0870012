"""How the app looks: dark, light, or in the terminal's own sixteen colours. Remembered from one time to the next."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

from core.texts import Texts

SETTING = "looks"
USUAL = "dark"

CALM = Theme(
    name="calm",
    primary="#7aa2c8",
    secondary="#8a93a6",
    accent="#d6b676",
    warning="#d9a75f",
    error="#d9818a",
    success="#8fbf8a",
    foreground="#d4d7dd",
    background="#15181d",
    surface="#1b1f26",
    panel="#232832",
    variables={
        "footer-key-foreground": "#d6b676",
        "footer-background": "#1b1f26",
        "block-cursor-background": "#34506b",
        "block-cursor-foreground": "#f0f2f5",
        "block-cursor-blurred-background": "#2a323d",
        "input-selection-background": "#7aa2c8 35%",
        "curve-other": "#c08bd0",
    },
)
CALM_LIGHT = Theme(
    name="calm-light",
    dark=False,
    primary="#2f5f8f",
    secondary="#5d6675",
    accent="#8a5a00",
    warning="#8f5600",
    error="#a8323f",
    success="#2f6b2f",
    foreground="#22262c",
    background="#f7f6f3",
    surface="#efede8",
    panel="#e2dfd8",
    variables={
        "footer-key-foreground": "#8a5a00",
        "footer-background": "#e9e6df",
        "block-cursor-background": "#b9d0e8",
        "block-cursor-foreground": "#14171b",
        "block-cursor-blurred-background": "#d9dfe6",
        "input-selection-background": "#2f5f8f 30%",
        "curve-other": "#8a4fa3",
    },
)


def _terminal(name: str, base: str, *, ground: str, text: str, key: str) -> Theme:
    """One of Textual's own for sixteen colours. What is selected stands on a `ground` on which every colour but that
    can be read, because each part of a line keeps its own.
    """
    theme = BUILTIN_THEMES[base]
    more = {
        "block-cursor-background": ground, "block-cursor-foreground": text, "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "ansi_default", "block-cursor-blurred-foreground": "ansi_default",
        "block-cursor-blurred-text-style": "bold", "footer-background": "ansi_default", "footer-key-foreground": key,
        "curve-other": "ansi_magenta",
    }  # fmt: skip
    return replace(theme, name=name, accent=key, variables={**theme.variables, **more})


THEMES = {
    "dark": CALM,
    "light": CALM_LIGHT,
    "terminal-dark": _terminal(
        "calm-terminal-dark", "ansi-dark", ground="ansi_bright_black", text="ansi_bright_white", key="ansi_yellow"
    ),
    "terminal-light": _terminal(
        "calm-terminal-light", "ansi-light", ground="ansi_white", text="ansi_black", key="ansi_magenta"
    ),
}
TITLES = Texts("looks", {
    "dark": "Dark",
    "light": "Light",
    "terminal-dark": "The terminal's own colours, on a dark ground",
    "terminal-light": "The terminal's own colours, on a light ground",
})  # fmt: skip


def possible(*, no_color: bool) -> tuple[str, ...]:
    """What can be chosen. Without colours (NO_COLOR) the terminal's own would be black on black."""
    return tuple(name for name, theme in THEMES.items() if not (no_color and theme.ansi))


def theme_of(looks: object, *, no_color: bool) -> str:
    """The theme for what was chosen, the usual one where that is none."""
    known = possible(no_color=no_color)
    return THEMES[looks if isinstance(looks, str) and looks in known else USUAL].name
