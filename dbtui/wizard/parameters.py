"""Step 3: how it is trained. The everyday options first, the rest behind a key."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from core.config.options import RunConfig
from core.config.table import section_words
from core.texts import say
from dbtui.actions import bindings
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.parts import heading, section_options

FIRST = ("intervals", "lora", "learning_rate", "batch", "prior_loss", "images", "performance")
"""How long and what happens when, what is trained, how fast; then what only some change. The rest as in `run.toml`."""


class ParametersScreen(WizardScreen):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("parameters")]
    step = "parameters"

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "parameters.help",
            "How it is trained. What the preset chose is a good start. F4 goes on, F5 shows every option.",
        )

    def rows(self) -> ComposeResult:
        for name in dict.fromkeys((*FIRST, *RunConfig.model_fields)):
            if name not in ("model", "concepts"):
                fields = list(self.fields(section_options(name)))
                if fields:
                    yield heading(*section_words(name))
                    yield from fields
