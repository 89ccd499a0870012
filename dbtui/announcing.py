"""The end of a run is told: the bell, and a notice of the desktop where the terminal passes one on (OSC 9)."""

from __future__ import annotations

from collections.abc import Mapping

from core.events import Done, Event, Failed
from core.runs.telling import is_news, wishes
from core.texts import say
from dbtui.safe import safe

PLAIN_TERMINALS = frozenset({"", "dumb", "linux"})
"""Values of $TERM where escape codes of this kind may be shown as rubbish."""


def told_end(name: str, event: Event) -> str:
    """How the run called `name` ended, in one line."""
    if isinstance(event, Done):
        return say("announce.done", "{name} is done: {step:,} steps.", name=safe(name), step=event.step)
    if isinstance(event, Failed):
        return say("announce.failed", "{name} failed: {reason}", name=safe(name), reason=safe(event.message))
    return say("announce.stopped", "{name} was stopped at step {step:,}.", name=safe(name),
               step=getattr(event, "step", None) or 0)  # fmt: skip


def signal_of(name: str, event: Event, environment: Mapping[str, str]) -> str:
    """What to send to the terminal when a run ends: nothing where it is no news, or was silenced."""
    if not is_news(event) or wishes().silent:
        return ""
    term = environment.get("TERM", "")
    if term in PLAIN_TERMINALS:
        return "" if term == "" else "\a"
    told = " ".join(told_end(name, event).replace(";", ",").split())[:200]
    return f"\x1b]9;dbtui: {told}\x1b\\\a"
