"""Training a finished run on: it is counted from what was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.events import Done, Stopped, encode
from core.runs.folder import Run
from core.runs.history import summary
from core.runs.longer import changes_for, length_of, take_out
from core.runs.queue import add, read_queue
from tests.runs.fakes import make_run, started


def trained(home: Path, ending: Done | Stopped, total: int) -> Run:
    run = make_run(home)
    run.journal_path.write_text(encode(replace(started(total), steps_per_epoch=2)) + "\n" + encode(ending) + "\n")
    return run


def test_more_epochs_are_counted_from_those_that_were_trained(tmp_path: Path) -> None:
    run = trained(tmp_path, Done(step=50, seconds=1), 50)
    run.extend({"intervals.epochs": 30}, "test")  # asked for, and never trained
    length = length_of(run, summary(run))
    assert (length.epochs, length.steps) == (25, 50)
    assert changes_for(run.config(), 15, length) == {"intervals.epochs": 40}


def test_the_file_that_is_written_at_the_new_end_is_named(tmp_path: Path) -> None:
    run = trained(tmp_path, Done(step=50, seconds=1), 50)
    assert length_of(run, summary(run)).export == f"{run.name}.safetensors"
    run.exports.mkdir()
    (run.exports / f"{run.name}.safetensors").touch()
    assert length_of(run, summary(run)).export == f"{run.name}-step-….safetensors"
    run.extend({"saving.export_when_done": False}, "test")
    assert length_of(run, summary(run)).export == ""


@pytest.mark.parametrize(("option", "asked", "before"), [("intervals.epochs", 30, 25), ("intervals.max_steps", 60, 50)])
def test_a_finished_run_that_is_taken_out_is_as_long_as_it_was(
    tmp_path: Path, option: str, asked: int, before: int
) -> None:
    run = trained(tmp_path, Done(step=50, seconds=1), 50)
    run.extend({option: asked}, "test")
    add(tmp_path, run)
    take_out(tmp_path, run.name, "test")
    assert not read_queue(tmp_path).entries
    assert getattr(run.config().intervals, option.split(".")[1]) == before


def test_a_run_that_is_not_at_its_end_keeps_its_length(tmp_path: Path) -> None:
    run = trained(tmp_path, Stopped(step=50, saved=True), 50)
    run.extend({"intervals.epochs": 30}, "test")
    add(tmp_path, run)
    take_out(tmp_path, run.name, "test")
    assert run.config().intervals.epochs == 30


def test_a_run_whose_options_cannot_be_read_is_taken_out_all_the_same(tmp_path: Path) -> None:
    run = trained(tmp_path, Done(step=50, seconds=1), 50)
    add(tmp_path, run)
    run.config_path.write_text("[model")
    take_out(tmp_path, run.name, "test")
    assert not read_queue(tmp_path).entries
