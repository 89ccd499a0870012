"""`dbtui queue`: what it says of what waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.runfile import to_toml
from core.runs.queue import LOG, add, queue_directory, read_queue
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


def test_a_file_of_a_run_that_is_not_made_yet_waits_as_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clock.toml").write_text(to_toml(with_changes(RunConfig(), {"model.name": "clock"})))
    monkeypatch.setattr("dbtui.commands.train.check", lambda config, facts: [])
    for code in (0, 2):  # the second time it waits already
        assert main(["queue", "add", str(tmp_path / "clock.toml"), "--home", str(tmp_path)]) == code
    assert [entry.name for entry in read_queue(tmp_path).entries] == ["clock"]
    assert main(
        ["train", str(tmp_path / "clock.toml"), "--resume", "--set", "model.name=other", "--home", str(tmp_path)]
    )
    assert "There is no run other" in capfd.readouterr().err
