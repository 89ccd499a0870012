"""Step 1: what it is to become, and what it starts from."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from core.texts import say
from dbtui.actions import bindings
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.context import PRESET
from dbtui.wizard.explaining import listed_preset, preset_option
from dbtui.wizard.parts import section_options


class ModelScreen(WizardScreen):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("model")]
    step = "model"

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "model.help",
            "What you teach, and the model you start from. F4 goes on, F5 shows rare options, F3 goes home.",
        )

    def rows(self) -> ComposeResult:
        presets = [
            (say("preset.choose", "choose what you teach"), ""),
            *((listed_preset(p), p.id) for p in self.context.presets.values()),
        ]
        yield self.row(PRESET, preset_option(), presets)
        yield from self.fields(section_options("model"))
