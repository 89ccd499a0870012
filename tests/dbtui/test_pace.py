"""How often the monitor is drawn."""

from __future__ import annotations

import pytest

from dbtui.monitor.pace import Pace, interval


@pytest.mark.parametrize(("took", "seconds"), [(0.0, 1.0), (0.01, 1.0), (0.02, 1.0), (0.03, 1.5), (0.2, 10.0)])
def test_the_interval_is_the_longer_of_a_second_and_fifty_times_the_last_redraw(took: float, seconds: float) -> None:
    assert interval(took) == pytest.approx(seconds)


@pytest.mark.parametrize("took", [0.001, 0.02, 0.07, 0.5])
def test_redraws_take_at_most_a_fiftieth_of_the_time(took: float) -> None:
    pace, now, end = Pace(), 100.0, 1100.0
    while now < end:
        if pace.is_due(now):
            pace.begin(now)
            now += took
            pace.took(took, now)
        now += 0.01
    assert pace.redraws > 5
    assert pace.spent / (end - 100) <= 0.0201


def test_a_redraw_that_has_not_ended_is_not_begun_again_at_once() -> None:
    pace = Pace()
    pace.begin(10.0)
    assert not pace.is_due(10.9) and pace.is_due(11.0)


def test_a_slow_line_is_left_free_as_long_as_it_was_busy() -> None:
    pace = Pace()
    pace.begin(10.0)
    pace.took(0.001, 10.0)
    pace.held_up(11.0)
    pace.held_up(12.0)
    assert not pace.is_due(13.9) and pace.is_due(14.0)


def test_a_line_that_is_kept_busy_holds_no_redraw_up_for_long() -> None:
    """Other screens draw too; what is read with a redraw would never be read."""
    pace = Pace()
    pace.begin(0.0)
    pace.held_up(100.0)
    assert not pace.is_due(104.0) and pace.is_due(106.0)
