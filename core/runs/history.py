"""What a monitor shows of a run, gathered from its events; and one line about it for lists."""

from __future__ import annotations

import itertools
import math
import os
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.events import (
    ENDINGS,
    Checkpoint,
    Continued,
    Done,
    Event,
    Export,
    Failed,
    Paused,
    Phase,
    RunStarted,
    Sample,
    Step,
    Stopped,
    Validation,
    Warned,
    decode,
)
from core.files import explain
from core.runs.folder import saved_steps
from core.runs.lock import Owner, heartbeat_limit, owner
from core.runs.series import Mean, Series
from core.texts import UserError

if TYPE_CHECKING:
    from core.runs.folder import Run

STEP_SERIES = (
    "loss", "instance_loss", "prior_loss", "rate", "text_encoder_rate", "gradient_norm", "images_per_second",
    "memory_bytes",
)  # fmt: skip
SMOOTHED = {"smoothed": "loss", "smoothed_instance": "instance_loss", "smoothed_prior": "prior_loss"}
"""Series that are the exponential mean of another."""
SERIES = (*STEP_SERIES, *SMOOTHED, "validation_instance", "validation_prior")
LONG_PHASES = ("loading", "compiling", "measuring", "saving", "exporting")
"""Phases in which one library call may take minutes: no heartbeat is expected of them."""

_LATEST_STEPS = 64
_SUMMARY_BYTES = 64 << 10
_PIECE = 1 << 20
_LIFE_BYTES, _BEFORE_LIFE = 64 << 10, 256
_LIFE = f'"kind": "{RunStarted.kind}"'.encode()
"""In the line that opens a life, near its beginning; inside a text its quotation marks would have a backslash."""
_ENDED = {Stopped: "stopped", Done: "done", Failed: "failed"}


class History:
    """The story of a run so far. Feed it with `add`, and with `observe` (who holds the lock) to notice a dead run.

    When a run goes on from an earlier step, what the life before did after that step is dropped.
    """

    def __init__(self) -> None:
        self.run: RunStarted | None = None
        self.phase: Phase | None = None
        self.ending: Stopped | Done | Failed | None = None
        self.last_step: Step | None = None
        self.last_validation: Validation | None = None
        self.samples: list[Sample] = []
        self.checkpoints: list[Checkpoint] = []
        self.exports: list[Export] = []
        self.exported_last: list[Export] = []
        """Those of them that hold the newest step."""
        self.warnings: list[Warned] = []
        self.updated = 0.0
        self._series = {name: Series() for name in SERIES}
        self.paused_since: float | None = None
        """When it was paused, in unix seconds, as long as it is."""
        self._means = {name: Mean() for name in SMOOTHED}
        self._latest: deque[float] = deque(maxlen=_LATEST_STEPS)
        self._observed = False
        self._owner: Owner | None = None

    @property
    def step(self) -> int:
        """The last step that was trained; where the run went on from if there is none yet. Of one that begins anew the
        newest saved one.
        """
        if self.begins_anew:
            return self._saved
        if self.last_step is not None:
            return self.last_step.step
        if self.ending is not None and self.ending.step is not None:
            return self.ending.step
        return (self.run.resumed_from or 0) if self.run else 0

    @property
    def kept_step(self) -> int:
        """The same; where it was stopped without saving, how far what is kept of it has come."""
        discarded = isinstance(self.ending, Stopped) and not self.ending.saved
        return self._saved if discarded else self.step

    @property
    def _saved(self) -> int:
        return self.checkpoints[-1].step if self.checkpoints else 0

    @property
    def total(self) -> int:
        return self.run.total_steps if self.run else 0

    @property
    def state(self) -> str:
        """new, paused, stopped, done, failed, lost, or the name of the phase it is in (loading, training, …)."""
        if self.begins_anew:
            return "loading"
        if self.ending is not None:
            return _ENDED[type(self.ending)]
        if self._observed and self._owner is None:
            return "lost" if self.run or self.phase else "new"
        if self.paused_since is not None:
            return "paused"
        if self.phase is not None:
            return self.phase.name
        return "loading" if self.run or self._owner else "new"

    @property
    def begins_anew(self) -> bool:
        """Whether somebody trains it who has said nothing yet: all that is known is of the life before."""
        return self._owner is not None and self.updated > 0 and self._owner.started > self.updated

    @property
    def memory_bytes(self) -> int | None:
        """The device's peak at the last step."""
        return self.last_step.memory_bytes if self.last_step else None

    @property
    def images_per_second(self) -> float | None:
        """Instance pictures a second at the last step."""
        return self.last_step.images_per_second if self.last_step else None

    @property
    def owner(self) -> Owner | None:
        return self._owner

    @property
    def median_step(self) -> float | None:
        """Usual seconds of a step, from the latest ones."""
        times = list(self._latest)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times) if later > earlier]
        return statistics.median(gaps) if gaps else None

    @property
    def seconds_left(self) -> float | None:
        """How long the remaining steps will take at the usual pace; `None` while that is unknown."""
        pace = self.median_step
        return None if pace is None or not self.total else max(0, self.total - self.step) * pace

    @property
    def silence(self) -> float | None:
        """Seconds since the owner's last heartbeat when that is too long ("no heartbeat for N s"), else `None`."""
        if self._owner is None or self.ending is not None:
            return None
        if self.phase is None or self.phase.name in LONG_PHASES:
            return None
        age = self._owner.heartbeat_age
        return age if age > heartbeat_limit(self.median_step) else None

    def observe(self, holder: Owner | None) -> None:
        """Tell who holds the run's lock now (`None`: nobody). Look before reading the journal, then tell. Who only
        changes the run for an instant is nobody here.
        """
        self._observed = True
        self._owner = holder if holder is not None and holder.trains else None

    @property
    def has_points(self) -> bool:
        """Whether there is any curve to draw: of a run that goes on, from before it made a step."""
        return any(series.steps for series in self._series.values())

    def series(self, name: str, columns: int) -> tuple[list[int], list[float]]:
        """Steps and values of one of `SERIES`, at most two points for each of `columns`."""
        return self._series[name].thinned(columns)

    def add(self, events: Iterable[Event]) -> None:
        for event in events:
            if is_sound(event):
                self._add(event)

    def _add(self, event: Event) -> None:
        self.updated = event.time
        if isinstance(event, RunStarted):
            self._begin_life(event)
        elif isinstance(event, Phase):
            self.phase = event
        elif isinstance(event, Step):
            self._add_step(event)
        elif isinstance(event, Validation):
            self.last_validation = event
            self._series["validation_instance"].drop_after(event.step - 1)
            self._series["validation_prior"].drop_after(event.step - 1)
            self._series["validation_instance"].add(event.step, event.instance)
            self._series["validation_prior"].add(event.step, event.prior)
        elif isinstance(event, Sample):
            self.samples.append(event)
        elif isinstance(event, Checkpoint):
            self.checkpoints.append(event)
        elif isinstance(event, Export):
            self.exports.append(event)
            self.exported_last.append(event)
        elif isinstance(event, Warned):
            self.warnings.append(event)
        elif isinstance(event, Paused | Continued):
            self.paused_since = event.time if isinstance(event, Paused) else None
            self._latest.clear()
        elif isinstance(event, ENDINGS):
            self.ending = event
            self.paused_since = None
            return
        if self.ending is not None and isinstance(event, Phase | Step):
            self.ending = None  # a new life that has not said `run` yet

    def _begin_life(self, event: RunStarted) -> None:
        self.run = event
        self.phase = None
        self.ending = None
        self.paused_since = None
        self._drop_after(event.resumed_from or 0)

    def _add_step(self, event: Step) -> None:
        if self.last_step is not None and event.step <= self.last_step.step:
            self._drop_after(event.step - 1)  # the line that told of a new life was lost
        for name in STEP_SERIES:
            self._series[name].add(event.step, getattr(event, name))
        for name, source in SMOOTHED.items():
            self._smooth(name, event.step, getattr(event, source))
        self._latest.append(event.time)
        self.paused_since = None
        self.last_step = event
        self.exported_last.clear()
        if self.phase is None or self.phase.name != "training":
            self.phase = Phase(name="training", done=event.step, total=self.total, time=event.time)

    def _smooth(self, name: str, step: int, value: float | None) -> None:
        if value is not None and math.isfinite(value):
            self._series[name].add(step, self._means[name].add(value))

    def _drop_after(self, step: int) -> None:
        for series in self._series.values():
            series.drop_after(step)
        self.samples = [sample for sample in self.samples if sample.step <= step]
        self.checkpoints = [checkpoint for checkpoint in self.checkpoints if checkpoint.step <= step]
        if self.last_step is not None and self.last_step.step > step:
            self.last_step = None
        if self.last_validation is not None and self.last_validation.step > step:
            self.last_validation = None
        self._latest.clear()
        for name, source in SMOOTHED.items():
            self._means[name], self._series[name] = Mean(), Series()
            for kept, value in zip(self._series[source].steps, self._series[source].values, strict=True):
                self._smooth(name, kept, value)


@dataclass(frozen=True)
class Summary:
    """A run in one line. `loss` is the last step's, `speed` in images per second, `pid` 0 where nobody trains it.

    `silence` is set (seconds) when its owner gives no sign of life; `updated` is the last event's time.
    """

    name: str
    state: str
    step: int
    total: int
    loss: float | None
    speed: float | None
    pid: int
    folder: str
    updated: float
    silence: float | None = None
    seconds_left: float | None = None
    """Of training, at the pace of the last steps; `None` where that is not known."""
    steps_per_epoch: int = 0
    saved: int = 0
    """The step of its newest state on the disk, 0 where there is none."""
    ending: Stopped | Done | Failed | None = None

    @property
    def kept_step(self) -> int:
        """How far it has come; where it was stopped without saving, how far what is kept of it."""
        discarded = self.state == "stopped" and isinstance(self.ending, Stopped) and not self.ending.saved
        return self.saved if discarded else self.step


def summary(run: Run) -> Summary:
    """One line about `run`, from the first and the last 64 KB of its journal and from where its newest life began.
    Raises `UserError` if unreadable.
    """
    history = History()
    history.observe(owner(run.lock_path))
    history.add(_ends_of(run))
    holder, last = history.owner, None if history.begins_anew else history.last_step
    saved = max(saved_steps(run.path), default=0)
    return Summary(
        name=run.name,
        state=history.state,
        step=saved if history.begins_anew else history.step,
        total=(_meant(run, history) if history.begins_anew else 0) or history.total,
        loss=last.loss if last else None,
        speed=last.images_per_second if last and holder else None,
        pid=holder.pid if holder else 0,
        folder=str(run.path),
        updated=history.updated,
        silence=history.silence,
        seconds_left=history.seconds_left,
        steps_per_epoch=history.run.steps_per_epoch if history.run else 0,
        saved=saved,
        ending=history.ending,
    )


def ending_of(run: Run) -> Stopped | Done | Failed | None:
    """How the last life of `run` ended, if it has. Raises `UserError` if its journal is unreadable."""
    history = History()
    history.add(_ends_of(run))
    return history.ending


def _meant(run: Run, history: History) -> int:
    """The steps that the options of `run` ask for, 0 where that cannot be said."""
    try:
        intervals = run.config().intervals
    except UserError:
        return 0
    return intervals.max_steps or intervals.epochs * (history.run.steps_per_epoch if history.run else 0)


def _ends_of(run: Run) -> list[Event]:
    try:
        with run.journal_path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            head = os.pread(file.fileno(), _SUMMARY_BYTES, 0)
            rest = max(len(head), size - _SUMMARY_BYTES)
            tail = os.pread(file.fileno(), size - rest, rest)
            # a continuous journal stays one text; otherwise the cut lines at both ends decode to nothing
            glue = b"" if rest == len(head) else b"\n"
            torn = tail.find(b"\n") + 1
            if glue and _LIFE not in tail[torn:]:
                glue += _newest_life(file.fileno(), head.rfind(b"\n") + 1, rest + torn) + b"\n"
            data = head + glue + tail
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(error, run.journal_path) from error
    whole = data[: data.rfind(b"\n") + 1]
    return [event for line in whole.split(b"\n") if (event := decode(line)) is not None]


def _newest_life(journal: int, first: int, last: int) -> bytes:
    """The last of the lines between these two places that opens a life; nothing where none does."""
    end = last
    while first < end:
        begin = max(first, end - _PIECE)
        found = os.pread(journal, end - begin + len(_LIFE), begin).rfind(_LIFE)
        if found >= 0:
            before = max(first, begin + found - _BEFORE_LIFE)
            lines = os.pread(journal, _LIFE_BYTES, before)
            start = lines.rfind(b"\n", 0, begin + found - before) + 1
            return lines[start : lines.find(b"\n", start)]
        end = begin
    return b""


def is_sound(event: Event) -> bool:
    """Whether what is counted with holds numbers: a damaged line may be valid JSON all the same."""
    whole = (getattr(event, "step", None), getattr(event, "resumed_from", None), getattr(event, "total_steps", None))
    return (
        _is_number(event.time)
        and all(value is None or _is_step(value) for value in whole)
        and not (isinstance(event, Step | Validation | Sample | Checkpoint) and event.step is None)
        and not (isinstance(event, Phase) and not isinstance(event.name, str))
        and not (isinstance(event, Step) and not all(_is_figure(getattr(event, name)) for name in STEP_SERIES))
        and not (isinstance(event, Sample) and not (_is_figure(event.likeness) and isinstance(event.noun, str)))
        and not (isinstance(event, Validation) and not (_is_figure(event.instance) and _is_figure(event.prior)))
    )


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _is_figure(value: Any) -> bool:
    return value is None or _is_number(value)
