"""The queue: order, one entry once, and what is left of it when runs are renamed or deleted."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from core.runs.folder import Run
from core.runs.lock import RunLock
from core.runs.queue import (
    Queue,
    Waiting,
    add,
    begin,
    delete_run,
    lock_path,
    queue_directory,
    read_queue,
    remove,
    rename_run,
)
from core.texts import UserError
from tests.runs.fakes import make_run
from tests.runs.queued import names, waiting


def test_runs_wait_in_the_order_in_which_they_came_and_can_be_taken_out(tmp_path: Path) -> None:
    waiting(tmp_path, "b", "a", "c")
    assert names(tmp_path) == ["b", "a", "c"]
    assert [read_queue(tmp_path).place(name) for name in ("b", "a", "c", "d")] == [1, 2, 3, 0]
    remove(tmp_path, "a")
    assert names(tmp_path) == ["b", "c"]
    add(tmp_path, Run.open(tmp_path, "a"))
    assert names(tmp_path) == ["b", "c", "a"]


def test_a_run_waits_once_and_not_while_it_trains(tmp_path: Path) -> None:
    (run,) = waiting(tmp_path, "clock")
    with pytest.raises(UserError) as refused:
        add(tmp_path, run)
    assert refused.value.code == "queue.waits-already"
    other = make_run(tmp_path, "cat")
    with RunLock(other.lock_path), pytest.raises(UserError) as refused:
        add(tmp_path, other)
    assert refused.value.code == "run.locked"
    with pytest.raises(UserError) as refused:
        remove(tmp_path, "cat")
    assert refused.value.code == "queue.not-there"


def test_a_run_that_waits_waits_under_its_new_name_and_at_its_place(tmp_path: Path) -> None:
    clock, _ = waiting(tmp_path, "clock", "cat")
    before = read_queue(tmp_path).entries[0]
    assert rename_run(clock, "watch", "0") == Run.open(tmp_path, "watch")
    assert read_queue(tmp_path).entries[0] == replace(before, name="watch")
    assert names(tmp_path) == ["watch", "cat"]
    with pytest.raises(UserError) as refused:
        rename_run(Run.open(tmp_path, "watch"), "cat", "0")
    assert refused.value.code == "run.rename-taken"
    assert names(tmp_path) == ["watch", "cat"]
    assert len(list(queue_directory(tmp_path).glob("*.json"))) == 2


def test_a_run_that_is_deleted_waits_no_more_and_one_that_is_not_waits_still(tmp_path: Path) -> None:
    clock, cat = waiting(tmp_path, "clock", "cat")
    delete_run(clock, "0")
    assert not clock.path.exists()
    assert names(tmp_path) == ["cat"]
    with RunLock(cat.lock_path), pytest.raises(UserError) as refused:
        delete_run(cat, "0")
    assert refused.value.code == "run.locked"
    assert names(tmp_path) == ["cat"]


def test_the_run_whose_turn_it_is_keeps_its_name(tmp_path: Path) -> None:
    (run,) = waiting(tmp_path, "clock")
    begin(tmp_path, read_queue(tmp_path).entries[0])
    with RunLock(lock_path(tmp_path)):
        for change in (lambda: rename_run(run, "watch", "0"), lambda: delete_run(run, "0")):
            with pytest.raises(UserError) as refused:
                change()
            assert refused.value.code == "queue.its-turn"
    assert run.path.exists()


def test_many_at_once_lose_none_and_share_no_number(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, f"run-{number}") for number in range(12)]
    threads = [threading.Thread(target=add, args=(tmp_path, run)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = read_queue(tmp_path).entries
    assert sorted(entry.name for entry in entries) == sorted(run.name for run in runs)
    assert [entry.number for entry in entries] == list(range(1, 13))


def test_a_damaged_file_hides_no_other(tmp_path: Path) -> None:
    waiting(tmp_path, "clock")
    (queue_directory(tmp_path) / "000009-bad.json").write_text("{")
    (queue_directory(tmp_path) / "000010-odd.json").write_text('{"number": "x", "name": 3}')
    assert names(tmp_path) == ["clock"]


def test_the_time_that_is_left_is_told_only_where_every_part_is_known() -> None:
    def queue(*seconds: float | None, begun: bool = False) -> Queue:
        entries = [Waiting(number, f"r{number}", 0.0, seconds=each) for number, each in enumerate(seconds, 1)]
        if begun:
            entries[0] = Waiting(1, "r1", 0.0, begun=5.0)
        return Queue(tuple(entries), owner_of_nothing() if begun else None)

    assert queue(10.0, 20.0).seconds_left(None) == 30.0
    assert queue(10.0, None).seconds_left(None) is None
    assert queue(None, 20.0, begun=True).seconds_left(7.0) == 27.0
    assert queue(None, 20.0, begun=True).seconds_left(None) is None


def owner_of_nothing() -> object:
    from core.runs.lock import Owner

    return Owner(1, "", 0.0, 0.0, True)
