"""`dbtui options` and `dbtui presets`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from core.config.presets import LORA, load_presets, user_presets_directory
from core.config.table import Option, option_table
from core.families import FAMILIES
from dbtui.boundary import DONE, complain
from dbtui.printing import console, print_json, say
from dbtui.safe import safe, safe_message


def show_options(*, markdown: bool, as_json: bool) -> int:
    """Every option of a run: as JSON, as Markdown tables, or to be read in a terminal."""
    if as_json:
        print_json([asdict(option) for option in option_table()])
    elif markdown:
        say(_as_markdown())
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
        out.print(Text(safe(preset.id), "bold"), Text(safe(preset.title)), Text("(yours)" if preset.is_own else ""))
        if preset.help:
            out.print(Text(safe(preset.help)), style="default")
        _print_values(out, preset.values, "    ")
        for overlay, values in preset.when.items():
            out.print(Text(f"    for {_overlay_in_words(overlay)}", "dim"))
            _print_values(out, values, "        ")
        out.print()
    out.print(Text(safe(f"Your own presets lie in {own}: Ctrl+S in the wizard saves one.")))
    return DONE


def _print_values(out: Console, values: Mapping[str, Any], indent: str) -> None:
    for path, value in values.items():
        out.print(Text(safe(f"{indent}{path} = {value}"), "dim"))


def _overlay_in_words(name: str) -> str:
    """`sdxl.lora` → `Stable Diffusion XL with LoRA`."""
    family, _, method = name.partition(".")
    if family == LORA:
        return "LoRA"
    return FAMILIES[family].title + (" with LoRA" if method else "")


def _range(option: Option) -> str:
    if option.choices:
        return ", ".join(option.choices)
    low = "" if option.minimum is None else f"{'above ' if option.exclusive_minimum else ''}{option.minimum:g}"
    high = "" if option.maximum is None else f"{option.maximum:g}"
    return f"{low} to {high}" if low and high else low or high


def _default(option: Option) -> str:
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return '""' if option.default == "" else str(option.default)


def _as_markdown() -> str:
    lines: list[str] = []
    section = ""
    for option in option_table():
        if option.section != section:
            section = option.section
            lines += ["", f"## {section}", "", "| option | type | default | range | unit | help |", "|---" * 6 + "|"]
        cells = (f"`{option.name}`", option.type, _default(option), _range(option), option.unit, option.help)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).lstrip("\n")


def _print_options() -> None:
    out = console()
    section = ""
    for option in option_table():
        if option.section != section:
            section = option.section
            out.print(Text(f"\n{section}" if section else "", "bold"))
        facts = [f"default {_default(option)}", _range(option), option.unit]
        line = Text(f"  {option.name}", "cyan")
        line.append(f"  {option.type}, {', '.join(fact for fact in facts if fact)}", "dim")
        out.print(line)
        out.print(Text(f"{option.title}: {option.help}"), soft_wrap=False, style="default", width=min(out.width, 110))
