"""The help of the commands in the language in force. Its English stands in `dbtui/cli.py`, beside each option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.texts import ENGLISH, in_force, language, say


def help_texts(command: Any, place: str = "cli") -> Iterator[tuple[Any, str, str, str]]:
    """Every help of a command and of those below it: what has it, the attribute, its code, the English text."""
    for attribute in ("help", "epilog"):
        if text := getattr(command, attribute, None):
            yield command, attribute, f"{place}.{attribute}", " ".join(str(text).split())
    for parameter in command.params:
        if text := getattr(parameter, "help", None):
            yield parameter, "help", f"{place}.{parameter.name}.help", " ".join(text.split())
    for name, below in getattr(command, "commands", {}).items():
        yield from help_texts(below, f"{place}.{name}")


def spoken(command: Any) -> Any:
    """`command` with its help in the language in force."""
    if language() != ENGLISH:
        from typer import rich_utils

        for holder, attribute, code, english in help_texts(command):
            setattr(holder, attribute, in_force(code, english))
        rich_utils.OPTIONS_PANEL_TITLE = say("cli.options", "Options")
        rich_utils.ARGUMENTS_PANEL_TITLE = say("cli.arguments", "Arguments")
        rich_utils.COMMANDS_PANEL_TITLE = say("cli.commands", "Commands")
    return command
