"""What a run keeps: resumable states while it trains, and the model for other programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from core.config.options import RunConfig
from core.events import Checkpoint, Event, Phase, Warned
from core.export.run import export_trained, trained_export
from core.export.there import exported_already
from core.families.model import Model
from core.texts import UserError, duration_in_words
from core.training.average import Average
from core.training.checkpoints import (
    AVERAGE_FILE,
    OPTIMIZER_FILE,
    Checkpoints,
    NotFinite,
    SaveFailed,
    Snapshot,
    TrainingState,
    component_file,
    refuse_not_finite,
    saved_as,
)
from core.training.faults import warning
from core.training.optimization import Optimization
from core.training.trained import Trained

RETRY_SECONDS = 60.0
PATIENCE_SECONDS, TRY_SECONDS, LOOK_SECONDS = 600.0, 10.0, 0.1
"""At the end of a run: how long a disk that is full is waited for, how often it is tried and commands looked at."""


class Saving:
    """Saves and exports one run. A save that fails while training goes on is told, and tried again a minute later.

    `trained` is what differs from the source, whether or not it still trains; `average` that of what trains now.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        model: Model,
        optimization: Optimization,
        trained: Trained,
        average: Average,
        *,
        resumed: Path | None,
    ) -> None:
        self._config = config
        self._folder = folder
        self._model = model
        self._optimization = optimization
        self._trained = trained
        self._average = average
        self._latest = saved_as(resumed) if resumed else None
        self._checkpoints = Checkpoints(
            folder / "checkpoints",
            config.saving.keep_checkpoints,
            resumed_at=self._latest.step if self._latest else None,
        )
        self._retry_at: float | None = None

    @property
    def retry_is_due(self) -> bool:
        """Whether a save failed and it is time to try again."""
        return self._retry_at is not None and time.monotonic() >= self._retry_at

    def save_finally(self, state: TrainingState, given_up: Callable[[], bool]) -> Iterator[Event]:
        """The last save of a run, waited for: where it fails, that is told and tried again for ten minutes.

        Raises `UserError` after that, or once `given_up` (asked many times a second) says so.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                yield from self.save(state, final=True)
                return
            except NotFinite:
                raise
            except UserError as error:
                if time.monotonic() >= deadline or given_up():
                    raise
                minutes = duration_in_words(deadline - time.monotonic())
                yield warning("checkpoint.waiting", "{reason} It is tried again every {seconds:.0f} s for {minutes}.",
                              reason=str(error.message), seconds=TRY_SECONDS, minutes=minutes)  # fmt: skip
            again = time.monotonic() + TRY_SECONDS
            while time.monotonic() < again and not given_up():
                time.sleep(LOOK_SECONDS)

    def save_last_good(self, state: TrainingState, given_up: Callable[[], bool]) -> Generator[Event, None, None]:
        """The same for a run that fails: weights that are no numbers any more are not saved, and nothing is raised."""
        with suppress(UserError):
            yield from self.save_finally(state, given_up)

    def save(self, state: TrainingState, *, id: str | None = None, final: bool = False) -> Iterator[Event]:  # noqa: A002
        """Save the state; events of what is durable by now. A `final` save is waited for and raises if it fails."""
        self._checkpoints.join()
        yield from self.finished()  # a save before this one that failed keeps nobody from trying again
        if self._latest is not None and self._latest.step == state.step:
            if id is not None:
                yield Checkpoint(step=state.step, path=self._latest.path, bytes=self._latest.bytes, seconds=0.0,
                                 id=id)  # fmt: skip
            return
        snapshot = self._snapshot(state)
        refuse_not_finite(snapshot)
        try:
            if final:
                yield Phase(name="saving", done=0, total=1)
            self._checkpoints.save(snapshot, id)
            yield from self._durable(wait=final)
            self._retry_at = None
        except UserError as error:
            if final:
                raise
            yield self._told(error, id)

    def finished(self) -> Iterator[Event]:
        """Events of the states that became durable since it was last asked."""
        try:
            yield from self._durable(wait=False)
        except SaveFailed as error:
            yield self._told(error, error.id)

    def export(self, step: int, *, final: bool = False) -> Iterator[Event]:
        """Write the model for other programs: under the export name at the end, with the step in it before; the
        averaged one too, if it is wished, with `-ema` behind its name.

        A run that was finished once and then trained longer keeps what it exported then: the step is in the name again.
        One that was finished and is trained again, though nothing is left to do, has exported it already.
        """
        if final and self._is_exported(step):
            return
        yield Phase(name="exporting", done=0, total=1)
        name = self._config.saving.export_name or self._config.model.name
        if not final or trained_export(self._config, self._folder, name).exists():
            name = f"{name}-step-{step:06d}"
        try:
            yield self._export(name, step)
            if self._config.saving.include_ema and self._average.state():
                with self._average.in_force():
                    averaged = self._export(f"{name}-ema", step, average=True)
                yield averaged
        except UserError as error:
            if final:
                raise
            yield Warned(code=error.code, message=str(error.message))

    def close(self) -> None:
        """Wait for what is being written. Its outcome is known from the disk by whoever resumes."""
        self._checkpoints.join()

    def _export(self, name: str, step: int, *, average: bool = False) -> Event:
        trained = self._trained.components
        return export_trained(self._model, trained, self._config, self._folder, name=name, step=step, average=average)

    def _is_exported(self, step: int) -> bool:
        saving, exports = self._config.saving, self._folder / "export"
        kinds = (False, True) if saving.include_ema and self._average.state() else (False,)
        return all(
            exported_already(exports, self._config, step=step, format=self._config.export_format, half=saving.half,
                             average=average) for average in kinds
        )  # fmt: skip

    def _durable(self, *, wait: bool) -> Iterator[Event]:
        if wait:
            self._checkpoints.join()
        for event in self._checkpoints.finished():
            if isinstance(event, Checkpoint):
                self._latest = event
            yield event

    def _told(self, error: UserError, id: str | None) -> Warned:  # noqa: A002
        self._retry_at = time.monotonic() + RETRY_SECONDS
        return Warned(code=error.code, message=str(error.message), id=id)

    def _snapshot(self, state: TrainingState) -> Snapshot:
        tensors, plain = self._optimization.state()
        files: dict[str, Mapping[str, Tensor]] = {OPTIMIZER_FILE: tensors}
        files |= {component_file(name): weights for name, weights in self._trained.components.items()}
        if average := self._average.state():
            files[AVERAGE_FILE] = average
        return Snapshot(state.with_optimizer(plain), files)
