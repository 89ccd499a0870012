"""What is wrong with a configuration, where, and the changes that would mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.texts import Message, UserError, headed, message, say


class Level(StrEnum):
    """An error keeps the run from starting; a warning is worth a thought; a hint is an opportunity."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True)
class Fix:
    """A change of the configuration that the wizard offers on a key: option path → new value."""

    label: Message
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """`field` is the option's path (`batch.size`, `concepts.0.instance.directory`), empty for the run as a whole."""

    level: Level
    field: str
    message: Message
    fixes: tuple[Fix, ...] = ()

    @property
    def code(self) -> str:
        return self.message.code


class ConfigError(UserError):
    """A configuration that cannot be read: every finding at once."""

    def __init__(self, findings: Sequence[Finding], where: str = "") -> None:
        self.findings = tuple(findings)
        place = say("config.in", " in {where}", where=where) if where else ""
        lines = "\n".join(f"  {headed(finding.field, finding.message)}" for finding in findings)
        self.message = message("config.invalid", "{count} wrong{place}:\n{lines}", count=_things(len(findings)),
                               place=place, lines=lines)  # fmt: skip
        Exception.__init__(self, str(self.message))


def _things(count: int) -> str:
    return say("config.one-is", "One option is") if count == 1 else say("config.many-are", "{count} options are",
                                                                         count=count)  # fmt: skip
