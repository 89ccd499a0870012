"""Step 3: how it is trained. The everyday options first, the rest behind a key."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from core.config.options import RunConfig
from dbtui.actions import bindings
from dbtui.wizard.base import WizardScreen, heading, section_options


class ParametersScreen(WizardScreen):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("parameters")]
    HELP = "How it is trained. What the preset chose is a good start. F4 goes on, F5 shows every option."
    step = "parameters"

    def rows(self) -> ComposeResult:
        for name, info in RunConfig.model_fields.items():
            if name not in ("model", "concepts"):
                yield heading(info.title or name, info.description or "")
                yield from self.fields(section_options(name))
