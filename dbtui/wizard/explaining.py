"""The help of one field: what it is, what it takes, what is usual."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rich.cells import cell_len
from textual.content import Content

from core.choices.adapters import METHODS
from core.choices.attention import ATTENTIONS
from core.choices.entry import Entry
from core.choices.formats import EXPORT_FORMATS
from core.choices.optimizers import OPTIMIZERS
from core.choices.schedulers import SCHEDULERS
from core.config.parsing import value_at
from core.config.presets import Preset
from core.config.table import Option
from core.demo.preset import demo_values
from core.demo.source import is_demo
from core.texts import noted, say
from dbtui.safe import safe
from dbtui.widgets.hanging import Hanging, Hung
from dbtui.widths import fitted
from dbtui.wizard.context import PRESET, WizardContext
from dbtui.wizard.values import in_words

LONGEST_TITLE, LONGEST_PURPOSE = 40, 49
"""Cells, at 80 columns."""
EXPLAINED: Mapping[str, Mapping[str, Entry]] = {
    "learning_rate.scheduler": SCHEDULERS,
    "performance.optimizer": OPTIMIZERS,
    "performance.attention": ATTENTIONS,
    "lora.method": METHODS,
    "saving.export_format": EXPORT_FORMATS,
}
"""Options whose choices have a line of their own each."""


def preset_option() -> Option:
    """The one field that is no option, as if it were one."""
    return Option(
        path=PRESET, title=say("preset.title", "Preset"), type="text", unit="", default="", choices=(),
        minimum=None, maximum=None, exclusive_minimum=False, more=False, kind="choice",
        help=say("preset.help", "What you teach. A preset sets what works for it. Change what you like: a dot marks "
                 "it, F6 undoes it, Ctrl+S saves it all as a preset of yours."),
    )  # fmt: skip


def help_of(context: WizardContext, option: Option) -> str:
    """Its help; before it, where the demo is trained, that what it calls usual is for other models."""
    number = _demo_values(context).get(option.path)
    if not option.path.startswith("learning_rate.") or not isinstance(number, float):
        return option.help
    return say("explain.demo.help", "{value} suits the demo. For other models: {help}", value=in_words(number),
               help=option.help)  # fmt: skip


def _demo_values(context: WizardContext) -> Mapping[str, Any]:
    return demo_values(context.values_of_preset()) if is_demo(context.config.model.source) else {}


def explain(context: WizardContext, path: str, option: Option) -> Hanging:
    """Title, help, range, unit, default, and what each preset chooses."""
    gap = Content("")
    parts: list[Content | Hung] = [Content(option.title).stylize("bold"), gap,
                                   Content(help_of(context, option)), gap]  # fmt: skip
    if path == PRESET:
        for preset in context.presets.values():
            parts += [Content(preset_title(preset)).stylize("bold"), Hung(Content("  "), Content(safe(preset.help)))]
        return Hanging.of(parts)
    if option.type != "text" or option.choices or option.unit or option.expects:
        takes = noted(option.expectation, option.unit) if option.unit else option.expectation
        if option.type == "switch":
            takes = say("explain.on-or-off", "on or off")
        parts.append(_line(say("explain.takes", "Takes"), takes))
    parts += [_line(entry.id, entry.help) for entry in EXPLAINED.get(option.path, {}).values()]
    parts.append(_line(say("explain.at-first", "At first"), in_words(option.default)))
    for preset in context.presets.values():
        values = preset.values_for(context.family, context.lora)
        if option.path in values:
            parts.append(_line(preset_title(preset), safe(in_words(values[option.path]))))
    demos = _demo_values(context)
    if option.path in demos:
        parts.append(_line(say("explain.demo", "The demo"), safe(in_words(demos[option.path]))))
    if context.is_changed(path):
        parts.append(_line(say("explain.puts-back", "F6 puts back"), safe(in_words(value_at(context.base(), path)))))
    parts += [gap, _line(say("explain.in-file", "In run.toml"), path, whole=True)]
    return Hanging.of(parts)


HINT_LINES = 2


def shortened(text: str, width: int, lines: int = HINT_LINES) -> Content:
    """As much of it as so many lines hold, those at the foot of a step where no number is given; where that is not all,
    which key shows the rest.
    """
    if len(Content(text).wrap(width)) <= lines:
        return Content(text)
    rest = say("explain.more", "… F1 shows all")
    end = len(text)
    while end and len(Content(f"{text[:end]}{rest}").wrap(width)) > lines:
        end -= 1
    words = text[:end]
    if text[end : end + 1].isascii() and text[end - 1 : end].isascii() and not text[end].isspace():
        words = words.rpartition(" ")[0] or words
    return Content.assemble(words.rstrip(" ,;:，；：、"), (rest, "$text-accent"))


def preset_title(preset: Preset) -> str:
    """As lists show it: not so long that nothing else is seen, and told from the program's own."""
    title = safe(preset.title)
    short = title if cell_len(title) <= LONGEST_TITLE else fitted(title, LONGEST_TITLE).rstrip()
    return noted(short, say("preset.yours", "yours")) if preset.is_own else short


def purpose_of(preset: Preset) -> str:
    """What it is for, which stands first in its help."""
    found = re.match(r"\s*(.+?(?:[.!?](?=\s|$)|[。！？]))", preset.help, re.DOTALL)
    return safe(" ".join((found[1] if found else preset.help).split()))


def listed_preset(preset: Preset) -> str:
    """Its title and, in a second line, what it is for."""
    about = purpose_of(preset)
    if cell_len(about) > LONGEST_PURPOSE:
        about = fitted(about, LONGEST_PURPOSE).rstrip()
    return f"{preset_title(preset)}\n {about}".rstrip()


def _line(title: str, text: str, whole: bool = False) -> Hung:
    head = say("explain.line", "{title}: ", title=title)
    return Hung(Content.styled(head, "$foreground-muted"), Content(text), whole)
