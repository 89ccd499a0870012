"""Values as fields and sentences show them."""

from __future__ import annotations

from typing import Any

from core.texts import number, say


def in_words(value: Any) -> str:
    """A value as a sentence shows it: `on`, `1e-6`, `empty`."""
    if isinstance(value, bool):
        return say("switch.on", "on") if value else say("switch.off", "off")
    return as_text(value) or say("value.empty", "empty")


def as_text(value: Any) -> str:
    """A value as a field shows it: `true`, `1e-6`, `512`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value, ".10g") if isinstance(value, float) else str(value)
