"""What the checks and the plan need to know about the world: gathered by `survey`, given as plain values.

Everything here may be unknown (`None`): while a form is filled in, only what has been looked at can be judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.config.options import RunConfig
from core.config.parsing import value_at
from core.data.scan import Scan
from core.families.describe import SourceDescription
from core.machine import Machine
from core.planning.class_pictures import ClassPicturesThere
from core.texts import Message, UserError


@dataclass(frozen=True)
class Facts:
    """The world around one configuration. The tuples have one entry a concept, or are empty: not looked at."""

    names_in_use: frozenset[str] = frozenset()
    """Names of runs that exist; empty when a run is resumed."""
    not_runs: frozenset[str] = frozenset()
    """Those of them that are folders of something else."""
    scans: tuple[Scan | UserError | None, ...] = ()
    """Instance pictures; an error where the folder cannot be read; `None` where none is given."""
    prior_scans: tuple[Scan | UserError | None, ...] = ()
    """Class pictures that exist already; `None` where there is no folder to look into."""
    class_pictures: tuple[ClassPicturesThere, ...] = ()
    """What other runs of this home have made."""
    class_folders_gone: Mapping[str, str] = field(default_factory=dict)
    """Class folders, as they were typed, that were in a run's folder where neither is there any more → its name."""
    words: Mapping[Path, str | UserError] = field(default_factory=dict)
    """What `[filewords]` stands for, by picture, or why its caption file cannot be read."""
    preview_prompts: tuple[tuple[str, ...] | UserError, ...] = ()
    """What each concept's previews show, one for each line of its file of prompts, or why that cannot be read."""
    vae_problem: UserError | None = None
    """Why the other VAE cannot be used; the source is then described with its own."""
    mask_problems: Mapping[Path, Message] = field(default_factory=dict)
    """Why the mask of a picture cannot be used, where masks are on and were looked at."""
    resolved: Mapping[str, Path] = field(default_factory=dict)
    """Folders as they were typed → with `~`, `..` and symbolic links resolved."""
    source: SourceDescription | UserError | None = None
    local_source: str = ""
    """The source as it was typed, if it is on this computer: a path that exists or the demo, and so no hub id."""
    machine: Machine | None = None
    missing_modules: frozenset[str] = frozenset()
    """Python modules that some choice needs and that are not installed."""
    signed_in: bool = True
    """Whether figures may go to Weights & Biases from here."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of modules that some choice needs in a certain version, where they are installed."""
    processes: int = 1
    """How many processes will train together."""
    processes_here: int = 1
    """… of them on this computer."""
    batch: int | None = None
    """The pictures of each update where a saved state says so: a run keeps them, whatever number goes on with it."""
    free_bytes: int | None = None
    """Free space where the run will lie."""
    held_bytes: int = 0
    """What the run's folder holds already, when it is resumed."""
    home_problem: UserError | None = None
    brought: RunConfig | None = None
    """What the program, the preset and the demo chose before anything was typed, where that is known."""

    def is_brought(self, config: RunConfig, path: str) -> bool:
        """Whether nobody has chosen the value at `path`: it came with the preset or the demo."""
        if self.brought is None:
            return False
        try:
            return bool(value_at(config, path) == value_at(self.brought, path))
        except IndexError:  # a concept that only the texts of a draft know
            return False

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
