"""`dbtui queue`: what it says of what waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs.queue import LOG, add, queue_directory
from dbtui.__main__ import main
from tests.runs.fakes import make_run


@pytest.mark.parametrize("waits", [False, True])
def test_where_it_stands_what_became_of_the_runs_is_named(
    waits: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path)
    if waits:
        add(tmp_path, run)
    assert main(["queue", "list", "--home", str(tmp_path)]) == 0
    assert LOG not in capfd.readouterr().out
    queue_directory(tmp_path).mkdir(exist_ok=True)
    (queue_directory(tmp_path) / LOG).write_text("clock is passed over\n")
    assert main(["queue", "list", "--home", str(tmp_path)]) == 0
    assert str(queue_directory(tmp_path) / LOG) in capfd.readouterr().out
