"""Trainer and bare loop side by side: rounds in turns, medians of both."""

from __future__ import annotations

import gc
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from core.bench.bare import BareLoop
from core.bench.cards import peak_of
from core.bench.costs import costs_of
from core.bench.flops import flops_of_a_step
from core.bench.open_trainer import OpenTrainer
from core.bench.results import Cost, Measurement, Refused, Result
from core.bench.settings import Setting, config_of, pictures_of
from core.bench.source import draw_pictures, make_source
from core.events import Event, Step, Warned
from core.families.describe import SourceDescription, describe
from core.machine import is_out_of_memory
from core.runs.commands import CommandReader
from core.runs.folder import Run
from core.runs.journal import JournalWriter
from core.runs.output import captured_logging, quiet_libraries
from core.texts import Message, UserError, message
from core.training.device import peak_allocated_bytes, settle, versions

FEWEST_ROUNDS, MOST_ROUNDS = 5, 99
ROUND_SECONDS = 0.2
"""Each side of a round takes at least so long: short enough that what else the machine does meets both sides."""
WARM_UP = 3


class Bench:
    """Measures settings on this machine, the sources and runs in a folder of its own that goes afterwards.

    `real`: the published architectures, else tiny ones. `seconds` is how long the rounds of a setting take together.
    `profile` adds the costs of one step.
    """

    def __init__(self, *, real: bool, seconds: float, profile: bool) -> None:
        self._real, self._seconds, self._profile = real, seconds, profile
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._source: tuple[str, Path] | None = None

    def run(self, settings: Sequence[Setting], begins: Callable[[Setting], None]) -> Iterator[Result]:
        """One result for each setting, in order; `begins` is told of each."""
        with tempfile.TemporaryDirectory(prefix="dbtui-bench-") as folder:
            for number, setting in enumerate(settings):
                begins(setting)
                home = Path(folder) / str(number)
                yield self._result(setting, Path(folder), home)
                shutil.rmtree(home, ignore_errors=True)
                self._forget()

    def _result(self, setting: Setting, folder: Path, home: Path) -> Result:
        try:
            return self._measured(setting, folder, home)
        except UserError as error:
            return Refused(setting, error.message)
        except Exception as error:  # the other settings are still worth measuring
            return Refused(setting, _out_of_memory() if is_out_of_memory(error) else _fault(error))

    def _measured(self, setting: Setting, folder: Path, home: Path) -> Measurement:
        path = self._source_of(setting.family, folder)
        source = describe(str(path))
        config = config_of(setting, path, home / "pictures")
        settled = settle(config, source.native_resolution, None)
        draw_pictures(home / "pictures", pictures_of(config), settled.size)
        run = Run.create(home, config, versions().get("dbtui", ""))
        with captured_logging(run.log_path), Rounds(run, self._seconds) as rounds:
            return rounds.measured(setting, source, profile=self._profile)

    def _source_of(self, family: str, folder: Path) -> Path:
        """Made when it is first asked for; the one before goes, for the real ones are large."""
        if self._source is None or self._source[0] != family:
            if self._source is not None:
                shutil.rmtree(self._source[1], ignore_errors=True)
            self._source = (family, make_source(family, folder, real=self._real, device=self._device))
        return self._source[1]

    def _forget(self) -> None:
        torch._dynamo.reset()
        gc.collect()
        torch.cuda.empty_cache()


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and seconds that this process computed (in all of its threads)."""

    clock: float
    computing: float


class Rounds:
    """One run that is trained as `dbtui train` does (journal on the disk, commands looked for), a few steps at a time,
    with rounds of the bare loop between them.
    """

    def __init__(self, run: Run, seconds: float) -> None:
        quiet_libraries()
        self._config, self._seconds = run.config(), seconds
        self._commands, self._journal = CommandReader(run.commands_path), JournalWriter(run.journal_path)
        self._trainer = OpenTrainer(self._config, run.path, resume=False, poll=self._commands.poll)
        self._events = self._trainer.run()
        self._notes: list[str] = []

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()  # type: ignore[attr-defined]
        self._commands.close()
        self._journal.close()

    def measured(self, setting: Setting, source: SourceDescription, *, profile: bool) -> Measurement:
        """All figures of this run."""
        began = time.perf_counter()
        peak = self._steps(1)
        first = time.perf_counter() - began
        peak = max(peak, self._steps(WARM_UP), peak_allocated_bytes(self._trainer.settled.device))
        bare = self._trainer.bare_loop()
        bare_steps(bare, WARM_UP)
        count, rounds = self._counts(bare)
        ours, theirs = [], []
        for number in range(rounds):
            for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
                if side == "ours":
                    ours.append(self._time_of(lambda: self._steps(count)))
                else:
                    theirs.append(self._time_of(lambda: bare_steps(bare, count)))
        return self._figures(
            setting,
            source,
            ours,
            theirs,
            peak=peak,
            first=first,
            count=count,
            costs=costs_of(lambda: self._steps(1), self._trainer.settled.device) if profile else (),
        )

    def _figures(
        self, setting: Setting, source: SourceDescription, ours: Sequence[Spent], theirs: Sequence[Spent], *,
        peak: int, first: float, count: int, costs: tuple[Cost, ...],
    ) -> Measurement:  # fmt: skip
        settled = self._trainer.settled
        images = self._config.batch.size * self._config.batch.accumulation
        flops = flops_of_a_step(self._config, source, side=settled.size, pictures=self._trainer.pictures_in_a_step,
                                components=self._trainer.components)  # fmt: skip
        own, bare = (statistics.median(spent.clock for spent in side) / count for side in (ours, theirs))
        limit = peak_of(settled.name, settled.precision)
        return Measurement(
            setting=setting,
            resolution=settled.size,
            precision=settled.precision,
            optimizer=settled.optimizer,
            attention=settled.attention,
            images_per_second=images / own,
            bare_images_per_second=images / bare,
            ratio=statistics.median(their.clock / our.clock for our, their in zip(ours, theirs, strict=True)),
            computing_ratio=None
            if settled.device.type == "cuda"
            else statistics.median(their.computing / our.computing for our, their in zip(ours, theirs, strict=True)),
            flops_per_step=flops,
            mfu=flops / own / limit if limit else None,
            peak_bytes=peak,
            first_step_seconds=first,
            rounds=len(ours),
            steps_in_a_round=count,
            notes=tuple(self._notes),
            costs=costs,
        )

    def _steps(self, count: int) -> int:
        """So many of the trainer's steps; the most memory that these tell of."""
        most = 0
        while count:
            event = self._next()
            if isinstance(event, Step):
                count -= 1
                most = max(most, event.memory_bytes)
            elif isinstance(event, Warned) and event.message not in self._notes:
                self._notes.append(event.message)
        return most

    def _next(self) -> Event:
        event = next(self._events)
        self._journal.write(event)
        return event

    def _counts(self, bare: BareLoop) -> tuple[int, int]:
        """Steps in a round, and rounds that fit into the time there is."""
        own = self._time_of(lambda: self._steps(1)).clock
        both = own + self._time_of(lambda: bare_steps(bare, 1)).clock
        count = math.ceil(ROUND_SECONDS / own)
        return count, max(FEWEST_ROUNDS, min(MOST_ROUNDS, math.floor(self._seconds / count / both)))

    def _time_of(self, act: Callable[[], object]) -> Spent:
        self._trainer.wait()
        clock, computing = time.perf_counter(), time.process_time()
        act()
        self._trainer.wait()
        return Spent(time.perf_counter() - clock, time.process_time() - computing)


def bare_steps(bare: BareLoop, count: int) -> None:
    for _ in range(count):
        bare.step()


def _out_of_memory() -> Message:
    return message("bench.memory", "It does not fit into the memory.",
                   mend="Measure a smaller batch, or with performance.gradient_checkpointing=true.")  # fmt: skip


def _fault(error: Exception) -> Message:
    return message("bench.fault", "A mistake in the program: {reason}.", mend="Please report it.",
                   reason=f"{type(error).__name__}: {' '.join(str(error).split())}"[:300].rstrip(". :"))  # fmt: skip
