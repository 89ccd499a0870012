"""What a monitor shows of a run, from its events and its lock."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import (
    Checkpoint,
    Continued,
    Done,
    Event,
    Export,
    Failed,
    Paused,
    Phase,
    Sample,
    Stopped,
    Validation,
    Warned,
)
from core.runs import history as history_module
from core.runs.folder import Run
from core.runs.history import SERIES, History
from core.runs.journal import JournalWriter, summary
from core.runs.lock import Owner, RunLock, owner
from core.runs.series import Series
from tests.runs.fakes import started, step


def told(*events: Event) -> History:
    history = History()
    history.add(events)
    return history


def owned(age: float = 0.0, since: float = 0.0) -> Owner:
    return Owner(pid=1, host="h", started=since, heartbeat_age=age, alive=True)


def write(run: Run, events: list[Event]) -> None:
    writer = JournalWriter(run.journal_path)
    for event in events:
        writer.write(event)
    writer.close()


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "new"),
        ([Phase(name="loading")], "loading"),
        ([started()], "loading"),
        ([started(), Phase(name="caching", done=1, total=4)], "caching"),
        ([started(), Phase(name="training")], "training"),
        ([started(), Phase(name="caching"), step(1)], "training"),
        ([started(), step(1), Paused(step=1)], "paused"),
        ([started(), step(1), Paused(step=1), Phase(name="saving")], "paused"),
        ([started(), step(1), Paused(step=1), Continued(step=1)], "training"),
        ([started(), step(1), Phase(name="sampling"), step(2)], "training"),
        ([started(), step(1), Stopped(step=1, saved=True)], "stopped"),
        ([started(), step(1), Failed(code="a", message="b")], "failed"),
        ([started(), step(1), Done(step=1, seconds=1.0)], "done"),
        ([started(), step(1), Done(step=1, seconds=1.0), started(20, 1)], "loading"),
        ([started(), Done(step=1, seconds=1.0), Phase(name="loading")], "loading"),
    ],
)
def test_the_state_follows_the_events(events: list[Event], state: str) -> None:
    assert told(*events).state == state


def test_a_run_without_an_ending_and_without_an_owner_is_lost() -> None:
    history = told(started(), step(1))
    history.observe(owned())
    assert history.state == "training"
    history.observe(None)
    assert history.state == "lost"
    history.add([Stopped(step=1, saved=True)])
    assert history.state == "stopped"


def test_a_run_that_was_never_started_is_not_lost() -> None:
    history = History()
    history.observe(None)
    assert history.state == "new"
    history.observe(owned())
    assert history.state == "loading"


def test_an_ended_run_that_somebody_took_up_again_is_loading() -> None:
    history = told(started(time=1.0), Stopped(step=1, saved=True, time=100.0))
    history.observe(owned(since=50.0))
    assert history.state == "stopped", "its process is about to let go"
    history.observe(owned(since=101.0))
    assert history.state == "loading"


def test_who_only_changes_an_ended_run_does_not_train_it(tmp_path: Path) -> None:
    history = told(started(time=5.0), Done(step=10, seconds=1, time=9.0))
    path = tmp_path / "lock"
    with RunLock(path, trains=False):
        history.observe(owner(path))
    assert history.state == "done" and history.owner is None
    with RunLock(path):
        history.observe(owner(path))
    assert history.state == "loading"


def test_steps_of_an_earlier_life_after_the_resumed_one_are_dropped() -> None:
    history = told(
        started(),
        *(step(number, 1.0) for number in range(1, 9)),
        Validation(step=2, instance=1.0, prior=2.0),
        Validation(step=8, instance=3.0, prior=4.0),
        Sample(step=4, path="a", prompt="", seed=1),
        Sample(step=8, path="b", prompt="", seed=1),
        Checkpoint(step=4, path="c", bytes=1, seconds=1),
        Export(path="e", format="safetensors", bytes=1),
        started(10, resumed_from=4),
    )
    assert history.step == 4
    assert history.series("loss", 100)[0] == [1, 2, 3, 4]
    assert history.series("smoothed", 100)[0] == [1, 2, 3, 4]
    assert history.series("validation_instance", 100) == ([2], [1.0])
    assert [sample.path for sample in history.samples] == ["a"]
    assert len(history.checkpoints) == len(history.exports) == 1
    history.add([step(5, 2.0)])
    assert history.series("loss", 100) == ([1, 2, 3, 4, 5], [1.0, 1.0, 1.0, 1.0, 2.0])


def test_a_run_that_begins_anew_shows_nothing_of_before() -> None:
    history = told(started(), step(1), step(2), started())
    assert history.step == 0
    assert history.series("loss", 10) == ([], [])


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 12))
@settings(max_examples=80, deadline=None)
def test_resuming_shows_what_a_reader_of_one_life_would_see(lengths: list[int], back: int) -> None:
    """Lives of some steps, each resumed from an earlier one: one curve, the steps in order, each once."""
    history, reached, expected = History(), 0, []
    for length in lengths:
        reached = max(0, reached - back)
        expected = expected[:reached]
        history.add([started(1000, reached or None)])
        for _ in range(length):
            reached += 1
            expected.append(float(length))
            history.add([step(reached, float(length))])
    assert history.series("loss", 1000) == (list(range(1, reached + 1)), expected)
    once = told(started(1000), *(step(number, loss) for number, loss in enumerate(expected, 1)))
    assert history.series("smoothed", 1000)[1] == pytest.approx(once.series("smoothed", 1000)[1])


def test_steps_that_go_back_without_a_word_are_taken_for_a_new_life() -> None:
    history = told(started(), *(step(number, 1.0) for number in range(1, 9)), step(4, 2.0))
    assert history.series("loss", 100) == ([1, 2, 3, 4], [1.0, 1.0, 1.0, 2.0])


def test_figures_that_are_not_numbers_leave_no_point() -> None:
    history = told(started(), step(1, 1.0), step(2, None), step(3, 3.0))
    assert history.series("loss", 10) == ([1, 3], [1.0, 3.0])
    assert history.series("prior_loss", 10) == ([], [])
    assert history.step == 3


def test_the_smoothed_loss_begins_at_the_loss_and_follows_it() -> None:
    history = told(
        started(), *(step(number, 1.0) for number in range(1, 100)), *(step(n, 0.0) for n in range(100, 400))
    )
    steps, values = history.series("smoothed", 1000)
    assert values[0] == pytest.approx(1.0)
    assert values[98] == pytest.approx(1.0)
    assert values[-1] < 0.01
    assert len(steps) == 399


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(-1e3, 1e3)), min_size=1, max_size=400), st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_a_thinned_curve_keeps_its_order_and_its_extremes(points: list[tuple[int, float]], columns: int) -> None:
    series, number = Series(), 0
    for gap, value in points:
        number += gap
        series.add(number, value)
    steps, values = series.thinned(columns)
    assert len(steps) == len(values) <= 2 * columns
    assert steps == sorted(set(steps))
    real = dict(zip(series.steps, series.values, strict=True))
    assert all(real[number] == value for number, value in zip(steps, values, strict=True))
    assert min(values) == min(series.values)
    assert max(values) == max(series.values)


def test_every_series_can_be_asked_for() -> None:
    history = told(started(), step(1))
    assert all(isinstance(history.series(name, 10)[0], list) for name in SERIES)


def test_the_usual_pace_tells_the_time_left_and_forgets_a_pause() -> None:
    steps = [step(number, time=100.0 + 2 * number) for number in range(1, 6)]
    history = told(started(15), *steps, Paused(step=5), Continued(step=5))
    history.add([step(number, time=5000.0 + 2 * number) for number in range(6, 11)])
    assert history.median_step == pytest.approx(2.0)
    assert history.seconds_left == pytest.approx(10.0)


def test_a_silent_owner_is_told_but_not_while_a_long_call_is_expected() -> None:
    history = told(started(15), step(1))
    history.observe(owned(age=29))
    assert history.silence is None
    history.observe(owned(age=31))
    assert history.silence == 31
    history.add([Phase(name="exporting")])
    assert history.silence is None
    slow = told(started(15), *(step(number, time=100.0 + 10 * number) for number in range(1, 6)))
    slow.observe(owned(age=99))
    assert slow.silence is None
    slow.observe(owned(age=101))
    assert slow.silence == 101
    slow.observe(None)
    assert slow.silence is None


def test_warnings_are_kept() -> None:
    assert [warning.code for warning in told(Warned(code="a", message="b")).warnings] == ["a"]


def test_a_summary_of_a_run_that_was_never_started(run: Run) -> None:
    found = summary(run)
    assert (found.name, found.state, found.step, found.total, found.loss, found.pid) == ("clock", "new", 0, 0, None, 0)
    assert found.folder == str(run.path)


def test_a_summary_reads_only_both_ends_of_a_long_journal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = [started(3000), *(step(number, number / 1000) for number in range(1, 3001))]
    write(run, [*events, Done(step=3000, seconds=1.0)])
    lines: list[bytes] = []
    decode = history_module.decode
    monkeypatch.setattr(history_module, "decode", lambda line: lines.append(line) or decode(line))
    found = summary(run)
    assert (found.state, found.step, found.total, found.loss) == ("done", 3000, 3000, 3.0)
    assert sum(map(len, lines)) <= 2 * history_module._SUMMARY_BYTES


@pytest.mark.parametrize("size", [1, 2, 500, 1000, 5000])
def test_a_summary_is_the_same_however_little_is_read(run: Run, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(history_module, "_SUMMARY_BYTES", 500 + size)
    write(run, [started(30), *(step(number) for number in range(1, 21)), Stopped(step=20, saved=True)])
    found = summary(run)
    assert (found.state, found.step, found.total) == ("stopped", 20, 30)


@pytest.mark.parametrize("piece", [*range(300, 330), 1000, 1 << 20])
@pytest.mark.parametrize("ends", [1200, 1500])
def test_the_total_is_that_of_the_newest_life_wherever_it_began(
    run: Run, monkeypatch: pytest.MonkeyPatch, piece: int, ends: int
) -> None:
    monkeypatch.setattr(history_module, "_SUMMARY_BYTES", ends)
    monkeypatch.setattr(history_module, "_PIECE", piece)
    write(run, [started(20), *(step(number) for number in range(1, 21)), Done(step=20, seconds=1),
                started(26, resumed_from=20), *(step(number) for number in range(21, 24)),
                started(46, resumed_from=20), *(step(number) for number in range(21, 41))])  # fmt: skip
    assert (summary(run).step, summary(run).total) == (40, 46)
    write(run, [Stopped(step=40, saved=False)])
    assert (summary(run).state, summary(run).total) == ("stopped", 46)


def test_the_line_of_the_newest_life_is_found_across_every_cut(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run, [started(10), step(1), started(26, resumed_from=1), *(step(number) for number in range(2, 12))])
    for ends in range(400, 2200, 7):
        monkeypatch.setattr(history_module, "_SUMMARY_BYTES", ends)
        assert summary(run).total == 26, ends


def test_what_loads_again_shows_how_long_it_will_be_and_no_figure_of_before(run: Run) -> None:
    run.extend({"intervals.epochs": 4}, "0")
    write(run, [started(10, time=1.0), step(9, time=2.0), Checkpoint(step=9, path="", bytes=1, seconds=1, time=2.0),
                Done(step=10, seconds=1, time=3.0)])  # fmt: skip
    (run.checkpoints / "step-000010").mkdir(parents=True)
    assert (summary(run).total, summary(run).loss) == (10, 0.5)
    with RunLock(run.lock_path):
        seen = summary(run)
        assert (seen.state, seen.step, seen.total, seen.loss, seen.speed) == ("loading", 10, 20, None, None)
        run.config_path.write_text("[")
        assert summary(run).total == 10


def test_a_summary_names_the_process_while_it_trains(run: Run) -> None:
    write(run, [started(30), step(1)])
    assert (summary(run).state, summary(run).pid, summary(run).speed) == ("lost", 0, None)
    with RunLock(run.lock_path):
        assert summary(run).state == "loading", "this life of it has said nothing yet"
        write(run, [started(30), step(1)])
        assert summary(run).state == "training"
        assert summary(run).pid > 0
        assert summary(run).speed == 2.0


def test_a_summary_of_something_unreadable_says_so(run: Run, tmp_path: Path) -> None:
    run.journal_path.mkdir()
    with pytest.raises(Exception, match="journal"):
        summary(run)


def test_infinite_figures_of_a_damaged_line_are_ignored() -> None:
    history = told(started(), step(1, math.inf), step(2, 1.0))
    assert history.series("loss", 10) == ([2], [1.0])
