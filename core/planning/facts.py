"""What the checks and the plan need to know about the world: gathered by `survey`, given as plain values.

Everything here may be unknown (`None`): while a form is filled in, only what has been looked at can be judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.data.scan import Scan
from core.families.describe import SourceDescription
from core.machine import Machine
from core.texts import UserError


@dataclass(frozen=True)
class PictureCaption:
    """What one picture will be captioned with, or why its caption file cannot be read."""

    path: Path
    caption: str | UserError


@dataclass(frozen=True)
class Facts:
    """The world around one configuration. The tuples have one entry for each concept, or are empty: not looked at."""

    names_in_use: frozenset[str] = frozenset()
    """Names of runs that exist; empty when a run is resumed."""
    scans: tuple[Scan | UserError | None, ...] = ()
    """Instance pictures; an error where the folder cannot be read; `None` where none is given."""
    prior_scans: tuple[Scan | UserError | None, ...] = ()
    """Class pictures that exist already; `None` where there are none to look for, or the folder does not exist."""
    captions: tuple[tuple[PictureCaption, ...], ...] = ()
    """Captions of the instance pictures, where the prompt has `[filewords]`."""
    folders: tuple[tuple[Path | None, Path | None], ...] = ()
    """Instance and class folder with symbolic links and `..` resolved."""
    source: SourceDescription | UserError | None = None
    source_is_remote: bool | None = None
    """Whether the source is a hub id; `None` where no source is given."""
    machine: Machine | None = None
    missing_modules: frozenset[str] = frozenset()
    """Python modules that some choice needs and that are not installed."""
    free_bytes: int | None = None
    """Free space where the run will lie."""
    held_bytes: int = 0
    """What the run's folder holds already, when it is resumed."""
    home_problem: UserError | None = None

    def scan(self, concept: int) -> Scan | None:
        """The instance pictures of one concept, where they are known."""
        return _scan(self.scans, concept)

    def prior_scan(self, concept: int) -> Scan | None:
        """The existing class pictures of one concept, where there are any."""
        return _scan(self.prior_scans, concept)

    @property
    def description(self) -> SourceDescription | None:
        """The source, where it could be read."""
        return self.source if isinstance(self.source, SourceDescription) else None


def _scan(scans: tuple[Scan | UserError | None, ...], concept: int) -> Scan | None:
    found = scans[concept] if concept < len(scans) else None
    return found if isinstance(found, Scan) else None
