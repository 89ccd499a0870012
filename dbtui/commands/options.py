"""`dbtui options` and `dbtui presets`."""

from __future__ import annotations

from dataclasses import asdict

from rich.text import Text

from core.config.presets import load_presets, user_presets_directory
from core.config.table import Option, option_table
from core.texts import Texts, joined, say
from dbtui.boundary import DONE
from dbtui.printing import console, print_json, print_lines
from dbtui.safe import safe

TYPES = Texts("type", {"integer": "integer", "number": "number", "switch": "switch", "text": "text"})


def show_options(*, markdown: bool, as_json: bool) -> int:
    """Every option of a run: as JSON, as Markdown tables, or to be read in a terminal."""
    if as_json:
        print_json([asdict(option) for option in option_table()])
    elif markdown:
        print_lines(_as_markdown())
    else:
        _print_options()
    return DONE


def show_presets(*, as_json: bool) -> int:
    """The built-in presets and the person's own, with what each sets."""
    own = user_presets_directory()
    presets = load_presets(own)
    if as_json:
        print_json([asdict(preset) for preset in presets.values()])
        return DONE
    out = console()
    for preset in presets.values():
        out.print(Text(safe(preset.id), "bold"), Text(safe(preset.title)))
        out.print(Text(safe(preset.help)), style="default")
        for path, value in preset.values.items():
            out.print(Text(safe(f"    {path} = {value}"), "dim"))
        out.print()
    out.print(Text(safe(say("presets.own", "Your own presets: put files like these into {folder}", folder=own))))
    return DONE


def _range(option: Option) -> str:
    if option.choices:
        return ", ".join(option.choices)
    low = "" if option.minimum is None else f"{option.minimum:g}"
    if low and option.exclusive_minimum:
        low = say("options.above", "above {low}", low=low)
    high = "" if option.maximum is None else f"{option.maximum:g}"
    return say("options.range", "{low} to {high}", low=low, high=high) if low and high else low or high


def _default(option: Option) -> str:
    if isinstance(option.default, bool):
        return say("switch.on", "on") if option.default else say("switch.off", "off")
    return '""' if option.default == "" else str(option.default)


def _as_markdown() -> str:
    lines: list[str] = []
    section = ""
    for option in option_table():
        if option.section != section:
            section = option.section
            head = say("options.columns", "| option | type | default | range | unit | help |")
            lines += ["", f"## {section}", "", head, "|---" * 6 + "|"]
        cells = (f"`{option.name}`", TYPES[option.type], _default(option), _range(option), option.unit, option.help)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).lstrip("\n")


def _print_options() -> None:
    out = console()
    section = ""
    for option in option_table():
        if option.section != section:
            section = option.section
            out.print(Text(f"\n{section}" if section else "", "bold"))
        facts = [say("options.default", "default {value}", value=_default(option)), _range(option), option.unit]
        line = Text(f"  {option.name}", "cyan")
        line.append(f"  {joined((TYPES[option.type], *(fact for fact in facts if fact)))}", "dim")
        out.print(line)
        words = say("help.key", "{title}: {help}", title=option.title, help=option.help)
        out.print(Text(words), soft_wrap=False, style="default", width=min(out.width, 110))
