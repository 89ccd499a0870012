"""What a run says. One frozen dataclass a kind; `journal.jsonl` holds them, one JSON object a line.

`encode` and `decode` are inverses. Fields may be added, never renamed: people's scripts read these lines. A reader
ignores kinds and fields it does not know, so an older program can read a newer run.
"""

from __future__ import annotations

import json
import math
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """Anything a run says. `time` is in unix seconds and set when the event is made."""

    kind: ClassVar[str]
    time: float = field(default_factory=clock.time)


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """A process began (or went on) training. `settled` tells what every `auto` became."""

    kind: ClassVar[str] = "run"
    config_hash: str
    versions: Mapping[str, str]
    device: str
    total_steps: int
    steps_per_epoch: int
    resumed_from: int | None = None
    exact: bool = True
    settled: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Phase(Event):
    """`name` is one of downloading, loading, class-images, caching, compiling, measuring, training,
    sampling, resting, saving, exporting.
    """

    kind: ClassVar[str] = "phase"
    name: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class Measured(Event):
    """What the dry step before training took: forward and backward of `pictures` of this size in px at a time.

    `peak_bytes` was measured: of a GPU's memory what tensors took, on a CPU what the whole process had; `None` where
    this system does not tell. `optimizer_bytes` (what the optimizer will keep beside it) is arithmetic. `compiled`: the
    seconds are those of compiling. `repeats`: whether the same pictures gave the same bits twice; `None`: not tried.
    """

    kind: ClassVar[str] = "measured"
    pictures: int
    width: int
    height: int
    peak_bytes: int | None
    optimizer_bytes: int
    seconds: float
    compiled: bool = False
    repeats: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Step(Event):
    """One optimizer step. Losses are means over their own pictures; `loss` is instance + weight · prior. `rate` is the
    U-Net's, `None` where it is not trained.

    A skipped step (not a number) has `skipped` set; figures that are not numbers are `null` in the journal.
    """

    kind: ClassVar[str] = "step"
    step: int
    epoch: int
    loss: float | None
    instance_loss: float | None
    prior_loss: float | None
    rate: float | None
    text_encoder_rate: float | None
    gradient_norm: float | None
    images_per_second: float
    memory_bytes: int
    skipped: bool = False

    @property
    def main_rate(self) -> float | None:
        """The U-Net's, else that of what is trained in its place."""
        return self.text_encoder_rate if self.rate is None else self.rate


@dataclass(frozen=True, kw_only=True)
class Validation(Event):
    """Losses on fixed noise and timesteps: `instance` should fall, `prior` should stay (the drift gauge)."""

    kind: ClassVar[str] = "validation"
    step: int
    instance: float | None
    prior: float | None


@dataclass(frozen=True, kw_only=True)
class Sample(Event):
    """A preview was written. `path` is relative to the run's folder. `of_class`: it shows the plain class, made with
    the seed of a preview of the subject.

    On the embedded model alone: `noun` is what its recogniser takes the picture for; `likeness`, from 0 to 1, how much
    it is the subject, where that is one of the demo's own.
    """

    kind: ClassVar[str] = "sample"
    step: int
    path: str
    prompt: str
    seed: int
    concept: str = ""
    of_class: bool = False
    noun: str = ""
    likeness: float | None = None
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Event):
    """A resumable state is durable on disk and was read back. `path` is relative to the run's folder."""

    kind: ClassVar[str] = "checkpoint"
    step: int
    path: str
    bytes: int
    seconds: float
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Export(Event):
    """A model for other programs was written. `path` is relative to the run's folder where it lies inside."""

    kind: ClassVar[str] = "export"
    path: str
    format: str
    bytes: int
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something a person should know; training goes on."""

    kind: ClassVar[str] = "warning"
    code: str
    message: str
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    kind: ClassVar[str] = "paused"
    step: int
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Continued(Event):
    kind: ClassVar[str] = "continued"
    step: int
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """Ended before its last step. `reason`: user, terminated, background (another process takes over)."""

    kind: ClassVar[str] = "stopped"
    step: int
    saved: bool
    reason: str = "user"
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Done(Event):
    """All steps are trained and what was to be exported is exported. `seconds` counts this process only,
    `trained_seconds` every one that trained the run, without pauses; `None` where the journal could not tell.
    """

    kind: ClassVar[str] = "done"
    step: int
    seconds: float
    trained_seconds: float | None = None

    @property
    def took(self) -> float:
        """Seconds that people are told."""
        return self.seconds if self.trained_seconds is None else self.trained_seconds


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    kind: ClassVar[str] = "failed"
    code: str
    message: str
    advice: str = ""
    step: int | None = None


KINDS: dict[str, type[Event]] = {
    event.kind: event
    for event in (
        RunStarted, Phase, Measured, Step, Validation, Sample, Checkpoint, Export, Warned, Paused, Continued, Stopped,
        Done, Failed,
    )
}  # fmt: skip

ENDINGS = (Stopped, Done, Failed)
"""The events after which no process trains the run."""


def encode(event: Event) -> str:
    """One line of JSON without its newline. Infinite and not-a-number figures become `null`."""
    values = {f.name: getattr(event, f.name) for f in fields(event)}
    time = values.pop("time")
    return json.dumps({"time": time, "kind": event.kind} | _finite(values), ensure_ascii=False, allow_nan=False)


def decode(line: str | bytes) -> Event | None:
    """The event of one journal line; `None` for a torn line or a kind this version does not know."""
    try:
        values = json.loads(line)
        kind = KINDS.get(values.pop("kind"))
        if kind is None:
            return None
        known = {f.name for f in fields(kind)}
        return kind(**{name: value for name, value in values.items() if name in known})
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return value
