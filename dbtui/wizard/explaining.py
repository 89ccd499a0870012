"""The help of one field: what it is, what it takes, what is usual."""

from __future__ import annotations

from textual.content import Content

from core.config.parsing import value_at
from core.config.table import Option
from core.demo.preset import demo_preset
from core.demo.source import is_demo
from core.texts import say
from dbtui.safe import safe
from dbtui.wizard.context import PRESET, WizardContext, in_words


def preset_option() -> Option:
    """The one field that is no option, as if it were one."""
    return Option(
        path=PRESET, title=say("preset.title", "Preset"), type="text", unit="", default="", choices=(),
        minimum=None, maximum=None, exclusive_minimum=False, more=False, kind="choice",
        help=say("preset.help", "What you teach. A preset sets what works for it; change what you like afterwards: a "
                 "dot marks the change, F6 undoes it."),
    )  # fmt: skip


def explain(context: WizardContext, path: str, option: Option) -> Content:
    """Title, help, range, unit, default, and what each preset chooses."""
    parts: list[Content] = [Content(option.title).stylize("bold"), Content(""), Content(option.help), Content("")]
    if path == PRESET:
        for preset in context.presets.values():
            parts.append(Content.assemble((safe(preset.title), "bold"), f"  {safe(preset.help)}"))
        return Content("\n").join(parts)
    if option.type != "text" or option.choices or option.unit:
        unit = f" ({option.unit})" if option.unit else ""
        parts.append(_line(say("explain.takes", "Takes"), f"{option.expectation}{unit}"))
    if option.type == "text" and option.default == "":
        parts.append(_line(say("explain.at-first", "At first"), say("value.empty", "empty")))
    else:
        parts.append(_line(say("explain.at-first", "At first"), in_words(option.default)))
    for preset in context.presets.values():
        if option.path in preset.values:
            parts.append(_line(safe(preset.title), safe(in_words(preset.values[option.path]))))
    if is_demo(context.config.model.source) and option.path in demo_preset().values:
        parts.append(_line(say("explain.demo", "The demo"), safe(in_words(demo_preset().values[option.path]))))
    if context.is_changed(path):
        parts.append(_line(say("explain.puts-back", "F6 puts back"), safe(in_words(value_at(context.base(), path)))))
    parts += [Content(""), _line(say("explain.in-file", "In run.toml"), path)]
    return Content("\n").join(parts)


def _line(title: str, text: str) -> Content:
    head = say("explain.line", "{title}: ", title=title)
    return Content.assemble((head, "$foreground-muted"), text)
