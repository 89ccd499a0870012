"""Pieces of the wizard's screens: the form, headings, and the options under them."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.config.table import Option, option_table
from dbtui.safe import safe


class Form(VerticalScroll, can_focus=False):
    """The rows of a screen; it scrolls with the focus."""


def heading(title: str, text: str = "") -> Static:
    """A line over some rows: what they are about."""
    rest = f"  {safe(text)}" if text else ""
    words = Content.assemble((safe(title), "bold $text-primary"), (rest, "$foreground-muted"))
    return Static(words, classes="heading")


def section_options(prefix: str) -> list[Option]:
    """The options of one section, in the order of `run.toml`; `concepts.*.prior` → its six or seven."""
    return [option for option in option_table() if option.section == prefix]
