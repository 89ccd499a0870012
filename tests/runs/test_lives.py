"""The time a run was trained is that of all its processes together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from core.events import Continued, Done, Event, Failed, Paused, Phase, Stopped, Warned
from core.runs.commands import Command
from core.runs.folder import Run
from core.runs.journal import read_journal
from core.runs.lives import trained_seconds
from core.runs.pump import train
from tests.runs.bodies import Body
from tests.runs.fakes import started, step


def test_the_processes_count_and_not_the_nights_between_them() -> None:
    first = [started(time=100.0), step(1, time=110.0), Stopped(step=1, saved=True, time=112.0)]
    second = [started(time=5000.0), step(2, time=5007.0), Done(step=2, seconds=8.0, time=5008.0)]
    assert trained_seconds([*first, *second]) == 20.0


def test_what_was_killed_counts_up_to_its_last_word() -> None:
    assert trained_seconds([started(time=100.0), step(1, time=110.0), started(time=900.0), step(1, time=903.0)]) == 13.0


@pytest.mark.parametrize(
    "said",
    [Warned(code="data.left-out", message="y", time=50_000.0), Phase(name="downloading", time=50_000.0),
     Failed(code="x", message="y", time=50_000.0), Stopped(step=0, saved=False, time=50_000.0)],
)  # fmt: skip
def test_the_night_after_a_process_was_killed_does_not_count_whatever_the_next_one_says_first(said: Event) -> None:
    killed = [started(time=100.0), step(1, time=110.0)]
    next_one = [started(time=50_005.0), step(2, time=50_007.0), Done(step=2, seconds=9.0, time=50_008.0)]
    assert trained_seconds([*killed, said, *next_one]) == 13.0


def test_what_is_warned_of_between_steps_takes_no_time_away() -> None:
    warned = [started(time=0.0), step(1, time=10.0), Warned(code="x", message="y", time=15.0)]
    assert trained_seconds([*warned, Failed(code="x", message="y", step=1, time=30.0)]) == 30.0


def test_a_pause_does_not_count_and_ends_with_its_process() -> None:
    paused = [started(time=0.0), Paused(step=0, time=10.0), Warned(code="x", message="y", time=50.0)]
    assert trained_seconds([*paused, Continued(step=0, time=90.0), step(1, time=95.0)]) == 15.0
    assert trained_seconds([*paused, started(time=200.0), step(1, time=205.0)]) == 15.0


def test_what_is_told_after_the_end_does_not_count() -> None:
    done = [started(time=0.0), Done(step=1, seconds=5.0, time=5.0)]
    assert trained_seconds([*done, Warned(code="x", message="y", time=500.0)]) == 5.0


def test_a_damaged_line_does_not_count() -> None:
    damaged = Warned(code="x", message="y", time="soon")  # type: ignore[arg-type]
    assert trained_seconds([started(time=0.0), damaged, Done(step=1, seconds=5.0, time=5.0)]) == 5.0


def test_the_end_of_a_resumed_run_tells_the_time_of_all_its_processes(run: Run, trains: Callable[[Body], None]) -> None:
    def first(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield started(time=1000.0)
        yield Stopped(step=5, saved=True, time=1060.0)

    def second(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield started(time=9000.0)
        yield Done(step=10, seconds=7.0, time=9007.0)

    trains(first)
    train(run, resume=False)
    trains(second)
    shown: list[Event] = []
    train(run, resume=True, on_event=shown.append)
    for event in (shown[-1], read_journal(run.journal_path)[-1]):
        assert isinstance(event, Done)
        assert (event.seconds, event.trained_seconds) == (7.0, pytest.approx(67.0))
