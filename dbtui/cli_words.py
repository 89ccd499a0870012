"""What the command line says in the language in force: its help, and what is wrong with a line.

Our own English stands in `dbtui/cli.py`, beside each option; typer's words are the tables here.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from rich.table import Table
from rich.text import Text
from typer import Typer
from typer.core import TyperCommand, TyperGroup, _TyperParameter
from typer.exceptions import TyperException

from core.texts import ENGLISH, Texts, filled, in_force, in_plain_digits, joined, language, say

_USAGE = Texts(
    "cli.usage",
    {
        "no-option-but": "No such option: {name} (Possible options: {others})",
        "no-option": "No such option: {name}",
        "no-command-but": "No such command {name}. Did you mean {others}?",
        "no-command": "No such command {name}.",
        "command-missing": "Missing command.",
        "argument-missing": "Missing argument {name}.",
        "option-missing": "Missing option {name}.",
        "value-missing": "Option {name} requires an argument.",
        "value-unwanted": "Option {name} does not take a value.",
        "value": "Invalid value for {name}: {reason}",
    },
)
"""What typer says of a wrong line. One that is longer stands before the one that it begins with."""
_TOO_MANY = "Got unexpected extra argument(s) ({given})"
_REASONS = Texts(
    "cli.value",
    {
        "whole": "Input should be a valid integer, unable to parse string as an integer",
        "number": "Input should be a valid number, unable to parse string as a number",
        "finite": "Input should be a finite number",
        "at-least": "Input should be greater than or equal to {bound}",
        "at-most": "Input should be less than or equal to {bound}",
    },
)
"""What pydantic, which typer asks, says of a wrong value."""


def complaint(error: TyperException) -> str:
    """What is wrong with a command line, as one sentence; empty where help was shown instead."""
    text = error.format_message()
    context = getattr(error, "ctx", None)
    if context is not None and (match := _pattern(_TOO_MANY).fullmatch(text)):
        usage = " ".join((context.command_path, *context.command.collect_usage_pieces(context)))
        return say("cli.too-many", "Not expected: {given}. The command is `{usage}`.", given=match["given"],
                   usage=usage)  # fmt: skip
    return text if language() == ENGLISH or not text else _translated(text, _USAGE)


_KINDS = Texts(
    "cli.kind",
    {"DIR": "DIR", "WORD": "WORD", "WORDS": "WORDS", "NAME": "NAME", "PATH": "PATH", "str": "str", "int": "int",
     "float": "float", "path": "path", "SECTION.OPTION=VALUE": "SECTION.OPTION=VALUE"},
)  # fmt: skip
"""What stands for a value in help."""


def _translated(text: str, table: Texts) -> str:
    for key, english in table.english.items():
        if match := _pattern(english).fullmatch(text):
            values = {name: given.strip("'") for name, given in match.groupdict().items()}
            if "others" in values:
                values["others"] = joined(other.strip("'") for other in values["others"].split(", "))
            if "reason" in values:
                values["reason"] = _translated(values["reason"], _REASONS)
            return filled(table[key], values)
    return text


def _pattern(template: str) -> re.Pattern[str]:
    pieces = string.Formatter().parse(template)
    return re.compile("".join(re.escape(text) + (f"(?P<{name}>.+)" if name else "") for text, name, _, _ in pieces))


class _Unshortened(Table):
    """A table whose cells go on in the next line where a word is too long for them: help has no `…`."""

    def add_row(self, *cells: Any, **settings: Any) -> None:
        super().add_row(*cells, **settings)
        for column in self.columns:
            if not column.no_wrap:
                column.overflow = "fold"


def _in_one_text(parts: Iterable[Any], **_: Any) -> Any:
    """What typer puts beside each other in a cell, help and default, as one text that breaks where it may."""
    return Text(" ", overflow="fold").join(part if isinstance(part, Text) else Text(str(part)) for part in parts)


class _Worded:
    """A command whose help has no word of typer's own that is not in the catalogue."""

    def format_help(self, context: Any, formatter: Any) -> None:
        from typer import rich_utils

        rich_utils.Table = _Unshortened  # type: ignore[misc]
        rich_utils.Columns = _in_one_text  # type: ignore[assignment, misc]
        rich_utils.OPTIONS_PANEL_TITLE = say("cli.options", "Options")
        rich_utils.ARGUMENTS_PANEL_TITLE = say("cli.arguments", "Arguments")
        rich_utils.COMMANDS_PANEL_TITLE = say("cli.commands", "Commands")
        rich_utils.REQUIRED_LONG_STRING = say("cli.required", "[required]")
        rich_utils.DEFAULT_STRING = say("cli.default", "[default: {}]")
        super().format_help(context, formatter)  # type: ignore[misc]

    def format_usage(self, context: Any, formatter: Any) -> None:
        pieces = " ".join(self.collect_usage_pieces(context))  # type: ignore[attr-defined]
        formatter.write_usage(context.command_path, pieces, prefix=say("cli.usage", "Usage: "))

    def get_help_option(self, context: Any) -> Any:
        option = super().get_help_option(context)  # type: ignore[misc]
        if option is not None:
            option.help = say("cli.help.help", "Show this message and exit.")
            if language() != ENGLISH and hasattr(option, "display_type_rich"):
                option.display_type_rich = _worded_kind(option.display_type_rich)
        return option


class Command(_Worded, TyperCommand):
    """One command. Its numbers may be written as an input method for Chinese writes them, as in the app's fields."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        for parameter in self.params:
            if isinstance(parameter, _TyperParameter) and parameter.bare_type() in _NUMBERS:
                parameter.process_value = partial(_plainly, parameter.process_value)  # type: ignore[method-assign]


_NUMBERS = {f"{before}{kind}{behind}" for kind in ("int", "float") for before, behind in (("", ""), ("list[", "]"))}


def _plainly(process: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = type(value)(in_plain_digits(each) if isinstance(each, str) else each for each in value)
    return process(context, in_plain_digits(value) if isinstance(value, str) else value)


class Group(_Worded, TyperGroup):
    """A command that has others below it."""


class Program(Typer):
    """Typer's, with commands of these two kinds."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=Group, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        return super().command(name, cls=Command, **settings)


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
        from dbtui.widths import break_lines_between_characters

        break_lines_between_characters()
        for holder, attribute, code, english in help_texts(command):
            setattr(holder, attribute, in_force(code, english))
        _word_usage(command)
    return command


def _word_usage(command: Any) -> None:
    for parameter in command.params:
        if hasattr(parameter, "display_type_rich"):
            parameter.display_type_rich = _worded_kind(parameter.display_type_rich)
        if getattr(parameter, "metavar", None):
            parameter.metavar = _in_words(parameter.metavar)
    command.options_metavar = say("cli.usage.options", "[OPTIONS]")
    for below in getattr(command, "commands", {}).values():
        command.subcommand_metavar = say("cli.usage.commands", "COMMAND [ARGS]...")
        _word_usage(below)


def _worded_kind(shown: Callable[..., str | None]) -> Callable[..., str | None]:
    def worded(ctx: Any) -> str | None:
        kind = shown(ctx=ctx)
        if kind is None or kind == "<bool>":
            return None
        return _in_words(re.sub(r"list\[(\w+)\]", r"\1", kind.replace(" range", "")))

    return worded


def _in_words(kind: str) -> str:
    return re.sub(r"[A-Z][A-Z.=]*[A-Z]|[a-z]+", lambda word: _KINDS[word[0]] if word[0] in _KINDS else word[0], kind)
