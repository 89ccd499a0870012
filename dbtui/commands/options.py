"""`dbtui options` and `dbtui presets`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from core.config.presets import LORA, load_presets, user_presets_directory
from core.config.table import Option, option_table
from core.families import FAMILIES
from core.texts import Texts, beside, joined, noted, number, say
from dbtui.boundary import DONE, complain
from dbtui.printing import console, print_json, print_lines
from dbtui.safe import safe, safe_message
from dbtui.wizard.values import as_text

TYPES = Texts("type", {"integer": "integer", "number": "number", "switch": "switch", "text": "text"})


def show_options(*, markdown: bool, as_json: bool) -> int:
    """Every option of a run: as JSON, as Markdown tables, or to be read in a terminal."""
    if as_json:
        print_json([asdict(option) for option in option_table()])
    elif markdown:
        print(as_markdown(), flush=True)
    else:
        _print_options()
    return DONE


def show_presets(*, as_json: bool) -> int:
    """The built-in presets and the person's own, with what each sets; on stderr, which files there are none."""
    own = user_presets_directory()
    presets = load_presets(own)
    for broken in presets.broken.values():
        complain(safe_message(broken.message))
    if as_json:
        print_json([asdict(preset) for preset in presets.known.values()])
        return DONE
    out = console()
    for preset in presets.known.values():
        title = noted(preset.title, say("preset.yours", "yours")) if preset.is_own else preset.title
        out.print(Text(safe(preset.id), "bold"), Text(safe(title)))
        if preset.help:
            out.print(Text(safe(preset.help)), style="default")
        _print_values(out, preset.values, "    ")
        for overlay, values in preset.when.items():
            out.print(Text(say("presets.for", "    for {what}", what=_overlay_in_words(overlay)), "dim"))
            _print_values(out, values, "        ")
        out.print()
    where = say("presets.own", "Your own presets lie in {folder}: Ctrl+S in the wizard saves one.", folder=own)
    print_lines(where)
    return DONE


def _print_values(out: Console, values: Mapping[str, Any], indent: str) -> None:
    for path, value in values.items():
        out.print(Text(safe(f"{indent}{path} = {as_text(value)}"), "dim"))


def _overlay_in_words(name: str) -> str:
    """`sdxl.lora` → `Stable Diffusion XL with LoRA`."""
    family, _, method = name.partition(".")
    if family == LORA:
        return "LoRA"
    return FAMILIES[family].title + (say("presets.with-lora", " with LoRA") if method else "")


def _range(option: Option) -> str:
    if option.choices:
        return joined(option.choices)
    low = "" if option.minimum is None else _number(option.minimum)
    if low and option.exclusive_minimum:
        low = say("options.above", "above {low}", low=low)
    high = "" if option.maximum is None else _number(option.maximum)
    return say("options.range", "{low} to {high}", low=low, high=high) if low and high else low or high


def _number(bound: float) -> str:
    """Large whole numbers in full: `1,000,000`."""
    return f"{int(bound):,}" if abs(bound) >= 100_000 and float(bound).is_integer() else number(bound, "g")


def _default(option: Option) -> str:
    if isinstance(option.default, bool):
        return say("switch.on", "on") if option.default else say("switch.off", "off")
    return '""' if option.default == "" else as_text(option.default)


def as_markdown() -> str:
    """A table for each section."""
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
        bounds = say("options.choices", "one of {choices}", choices=joined(option.choices)) if option.choices else ""
        default = say("options.default", "default {value}", value=_default(option))
        facts = [default, bounds or _range(option), option.unit]
        line = Text(option.name, "cyan")
        line.append(f"  {beside((TYPES[option.type], *(fact for fact in facts if fact)))}", "dim")
        for place, part in enumerate(line.wrap(out, out.width - 6)):
            out.print(Padding(part, (0, 0, 0, 6 if place else 2), expand=False))
        words = say("help.key", "{title}: {help}", title=option.title, help=option.help)
        out.print(Padding(Text(words), (0, 0, 0, 4)), soft_wrap=False, style="default", width=min(out.width, 110))
