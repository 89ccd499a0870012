"""The sizes in the list of runs: right at once for what has ended, seldom measured for what trains."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.runs.folder import Run
from core.runs.lock import RunLock
from core.runs.overview import Overview


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path, with_changes(RunConfig(), {"model.name": "clock"}), "test")


def moments_pass(*folders: Path) -> None:
    """A file system's clock may tick only every few milliseconds."""
    for folder in folders:
        held = folder.stat()
        os.utime(folder, ns=(held.st_atime_ns, held.st_mtime_ns + 10_000_000))


def size(overview: Overview) -> int:
    overview.measure()
    (listed,), _ = overview.read()
    assert listed.bytes is not None
    return listed.bytes


def test_an_export_counts_though_the_journal_says_nothing_of_it(run: Run) -> None:
    overview = Overview(run.home)
    before = size(overview)
    run.exports.mkdir()
    assert size(overview) == before
    (run.exports / "clock.safetensors").write_bytes(b"x" * 5000)
    moments_pass(run.exports)
    assert size(overview) == before + 5000
    (run.exports / "clock.safetensors").unlink()
    moments_pass(run.exports, run.exports)
    assert size(overview) == before


def test_what_trains_is_not_measured_all_the_time_but_once_it_has_ended(run: Run) -> None:
    overview = Overview(run.home)
    with RunLock(run.lock_path):
        before = size(overview)
        (run.path / "more").write_bytes(b"x" * 5000)
        moments_pass(run.path)
        assert size(overview) == before
    assert size(overview) == before + 5000
