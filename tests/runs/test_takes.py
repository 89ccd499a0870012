"""How long what waits will take."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.events import Stopped, encode
from core.runs.history import summary
from core.runs.takes import takes
from tests.runs.fakes import make_run, started, step


@pytest.mark.parametrize(("saved", "seconds"), [(0, 300.0), (100, 200.0)])
def test_a_run_takes_as_long_as_from_what_was_saved_and_not_from_where_it_was_stopped(
    tmp_path: Path, saved: int, seconds: float
) -> None:
    run = make_run(tmp_path)
    told = [started(300, time=1.0), *(step(number, time=float(number)) for number in range(1, 123)),
            Stopped(step=122, saved=False, time=123.0)]  # fmt: skip
    run.journal_path.write_text("".join(encode(event) + "\n" for event in told))
    if saved:
        (run.path / "checkpoints" / f"step-{saved:06}").mkdir(parents=True)
    assert takes(run, summary(run)) == pytest.approx(seconds)
    assert takes(run, summary(run), lengthened=True) is None, "no former run tells"
