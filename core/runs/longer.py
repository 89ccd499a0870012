"""Training a finished run on: for how long it was meant, and for how long it will be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.choices.formats import file_name
from core.choices.schedulers import SCHEDULERS
from core.config.options import RunConfig
from core.config.parsing import value_at
from core.runs.folder import Run
from core.runs.history import Summary, summary
from core.runs.queue import remove
from core.texts import UserError


@dataclass(frozen=True)
class Length:
    """`epochs` may be 0 for a run whose steps are limited otherwise; `steps_per_epoch` is 0 where it never began."""

    epochs: int
    steps: int
    steps_per_epoch: int
    bends: bool
    """Whether its learning rate follows a curve over the whole length."""
    export: str = ""
    """The file or folder that will be written at the new end, the step in it as …; empty where nothing will be."""


def length_of(run: Run, seen: Summary) -> Length:
    """How long `run` was trained, whatever its options say meanwhile. Raises `UserError` where they cannot be read."""
    config = run.config()
    epochs = (
        0 if config.intervals.max_steps else _trained(config, seen).get("intervals.epochs", config.intervals.epochs)
    )
    bends = SCHEDULERS[config.learning_rate.scheduler].ends_low
    return Length(epochs, seen.total, seen.steps_per_epoch, bends, _export(run, config))


def _export(run: Run, config: RunConfig) -> str:
    """What was exported at the end is kept: what comes after it has the step in its name."""
    if not config.saving.export_when_done:
        return ""
    name = config.saving.export_name or config.model.name
    first, later = (file_name(each, config.export_format, config.method) for each in (name, f"{name}-step-…"))
    return later if (run.exports / first).exists() else first


def changes_for(config: RunConfig, more: int, length: Length) -> dict[str, int]:
    """What to change so that the run goes on for `more` epochs after those it was trained for."""
    if config.intervals.max_steps:
        return {"intervals.max_steps": length.steps + more * max(1, length.steps_per_epoch)}
    return {"intervals.epochs": length.epochs + more}


def take_out(home: Path, name: str, version: str) -> None:
    """Take the run out of the queue. One that waited to be trained longer is as long again as it was trained. Raises
    `UserError`.
    """
    remove(home, name)
    run = Run(home, name)
    try:
        seen, config = summary(run), run.config()
    except UserError:  # nothing can be trained longer, then
        return
    wanted = {path: value for path, value in _trained(config, seen).items() if value_at(config, path) != value}
    if seen.state == "done" and wanted:
        run.extend(wanted, version)


def _trained(config: RunConfig, seen: Summary) -> dict[str, int]:
    """The option that says how long, as it is for what was trained; nothing where that cannot be said."""
    if not seen.total:
        return {}
    if config.intervals.max_steps:
        return {"intervals.max_steps": seen.total}
    epochs, rest = divmod(seen.total, seen.steps_per_epoch or seen.total + 1)
    return {} if rest else {"intervals.epochs": epochs}
