"""A run's figures and previews on Weights & Biases, through its own library."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from core.choices.tracking import SIGNED_OUT, signed_in
from core.config.options import RunConfig
from core.events import Event, RunStarted, Sample
from core.files import write_atomic
from core.runs.trackers.figures import figures
from core.texts import UserError

ID_FILE = "wandb-id"
"""In the run's folder: the run's id there."""


class WeightsAndBiases:
    """One run there for one run here: resuming goes on with it, under another name too."""

    title = "Weights & Biases"

    def __init__(self, config: RunConfig, folder: Path) -> None:
        import wandb

        if not signed_in():
            raise UserError(SIGNED_OUT.code, SIGNED_OUT.english, mend=SIGNED_OUT.mend)
        self._folder = folder
        quiet = wandb.Settings(console="off", silent=True, disable_git=True, disable_code=True, save_code=False)
        self._run = wandb.init(
            project=config.tracking.wandb_project, name=folder.name, id=_id_of(folder), resume="allow",
            dir=str(folder), config=dict(_without_places(config)), settings=quiet,
        )  # fmt: skip
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")  # a resumed run repeats steps: the library's own count cannot

    def tell(self, event: Event) -> None:
        import wandb

        if isinstance(event, RunStarted):
            told = {"versions": dict(event.versions), "device": event.device, "settled": dict(event.settled)}
            self._run.config.update(told, allow_val_change=True)  # type: ignore[no-untyped-call]
        elif isinstance(event, Sample):
            path = self._folder / event.path
            picture = wandb.Image(str(path), caption=f"{event.prompt} (seed {event.seed})")
            self._run.log({"step": event.step, f"previews/{path.stem}": picture})
        else:
            step, values = figures(event)
            if values:
                self._run.log({"step": step} | values)

    def flush(self) -> None:
        """Its own process sends what it has as it comes."""

    def close(self) -> None:
        self._run.finish()


def _id_of(folder: Path) -> str:
    """Drawn once: a run that is made anew under a name that was used before begins a curve of its own."""
    path = folder / ID_FILE
    try:
        known = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        known = ""
    if not known:
        known = secrets.token_hex(8)
        write_atomic(path, known + "\n")
    return known


def _without_places(config: RunConfig) -> Iterator[tuple[str, Any]]:
    """`section.option` → value, of paths only the last name."""
    for name, value in _flat(config.model_dump()):
        place = isinstance(value, str) and PurePath(value).is_absolute()
        yield name, PurePath(value).name if place else value


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, (tuple, list)):
            yield from _flat({str(place): inner for place, inner in enumerate(value)}, f"{before}{name}.")
        else:
            yield before + name, value
