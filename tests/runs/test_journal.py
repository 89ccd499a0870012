"""The journal: nothing said is lost or doubled, wherever the power goes and however the disk behaves."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import Checkpoint, Done, Event, Paused, Phase, Sample, Step, Stopped, Warned, encode
from core.files import LineAppender
from core.runs import journal
from core.runs.history import History
from core.runs.journal import JournalTail, JournalWriter, read_journal
from tests.runs.conftest import until
from tests.runs.fakes import started, step

EVENTS: list[Event] = [
    Phase(name="loading"), started(), step(1), step(2, None), Warned(code="a", message="ü \udcff \u2028 \x1b[2J"),
    Sample(step=2, path="samples/ü.png", prompt="a\nb", seed=1), step(3),
    Checkpoint(step=3, path="checkpoints/step-000003", bytes=1, seconds=0.1, id="x"), Paused(step=3, id="y"),
    Stopped(step=3, saved=True),
]  # fmt: skip


class FailingFile(LineAppender):
    """A disk that is full, or hangs, until it is told otherwise."""

    full = False
    hanging: threading.Event | None = None
    syncs = 0

    def append(self, line: str) -> None:
        if self.hanging is not None:
            self.hanging.wait(20)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().append(line)

    def sync(self) -> None:
        self.syncs += 1
        super().sync()


def write(path: Path, events: list[Event]) -> None:
    writer = JournalWriter(path)
    for event in events:
        writer.write(event)
    assert writer.close()


def test_what_is_written_is_read_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "journal.jsonl", EVENTS)
    assert read_journal(tmp_path / "journal.jsonl") == EVENTS


def test_nothing_stands_behind_the_last_word_whoever_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter(path)
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            writer.write(Paused(step=1))
            time.sleep(0.001)

    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    writer.write(Done(step=9, seconds=1.0), last=True)
    time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert writer.close()
    assert isinstance(read_journal(path)[-1], Done)


def test_a_run_without_a_journal_has_said_nothing(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal.jsonl") == []
    assert JournalTail(tmp_path / "journal.jsonl", last_bytes=100).poll() == []


@given(st.integers(0, 2000))
@settings(max_examples=60, deadline=None)
def test_a_journal_torn_anywhere_keeps_every_whole_line_and_takes_new_ones(cut: int) -> None:
    whole = "".join(encode(event) + "\n" for event in EVENTS).encode("utf-8", "backslashreplace")
    torn = whole[: min(cut, len(whole))]
    complete = torn.count(b"\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(torn)
        assert read_journal(path) == EVENTS[:complete]
        done = Done(step=9, seconds=1.0)
        write(path, [done])
        assert read_journal(path) == [*EVENTS[:complete], done]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_journal_never_breaks_a_reader(data: st.DataObject) -> None:
    content = bytearray("".join(encode(event) + "\n" for event in EVENTS).encode("utf-8", "backslashreplace"))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(1, 40))] = data.draw(st.binary(max_size=40))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(content)
        history = History()
        history.add(read_journal(path))
        history.add([step(100)])
        assert history.step == 100


@given(st.lists(st.integers(1, 400), max_size=30))
@settings(max_examples=40, deadline=None)
def test_a_tail_sees_each_event_once_however_the_file_grows(pieces: list[int]) -> None:
    whole = "".join(encode(event) + "\n" for event in EVENTS).encode("utf-8", "backslashreplace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        tail, seen, position = JournalTail(path), [], 0
        for count in [*pieces, len(whole)]:
            with path.open("ab") as file:
                file.write(whole[position : position + count])
            position += count
            seen += tail.poll()
        assert seen == EVENTS


def test_a_long_journal_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PIECE", 1000)
    events = [step(number) for number in range(1, 200)]
    write(tmp_path / "journal.jsonl", list(events))
    tail = JournalTail(tmp_path / "journal.jsonl")
    first = tail.poll()
    assert 0 < len(first) < 6
    assert tail.behind
    assert read_journal(tmp_path / "journal.jsonl") == events


def test_a_line_longer_than_a_piece_does_not_stop_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PIECE", 64)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"\0" * 5000 + b"\n" + encode(EVENTS[0]).encode() + b"\n")
    assert read_journal(path) == EVENTS[:1]
    path.write_bytes(b"\0" * 5000)
    assert read_journal(path) == []


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"kind": []}', '{"kind": "step"}', "null", "NaN", '{"kind": "paused", "step": 1e999}']
)
def test_a_strange_line_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "j").write_text(f"{line}\n{encode(EVENTS[0])}\n")
    history = History()
    history.add(read_journal(tmp_path / "j"))
    assert history.state == "loading"


def test_a_tail_near_the_end_skips_the_cut_line(tmp_path: Path) -> None:
    write(tmp_path / "journal.jsonl", [step(number) for number in range(1, 50)])
    last = len(encode(step(49)))
    seen = JournalTail(tmp_path / "journal.jsonl", last_bytes=last + 20).poll()
    assert [event.step for event in seen if isinstance(event, Step)] == [49]


def test_a_tail_follows_a_run_that_was_made_anew_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, EVENTS)
    tail = JournalTail(path)
    assert len(tail.poll()) == len(EVENTS)
    path.rename(tmp_path / "old")
    write(path, EVENTS[:3])
    assert tail.poll() == EVENTS[:3]


def test_events_of_state_are_synced_at_once_and_steps_are_not(tmp_path: Path) -> None:
    made: list[FailingFile] = []
    writer = JournalWriter(tmp_path / "j", open_file=lambda path: made.append(FailingFile(path)) or made[0])
    for number in range(1, 20):
        writer.write(step(number))
    until(lambda: len(read_journal(tmp_path / "j")) == 19)
    assert made[0].syncs == 0
    writer.write(Paused(step=19))
    until(lambda: made[0].syncs == 1)
    writer.close()


def test_steps_are_synced_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SYNC_SECONDS", 0.2)
    made: list[FailingFile] = []
    writer = JournalWriter(tmp_path / "j", open_file=lambda path: made.append(FailingFile(path)) or made[0])
    writer.write(step(1))
    until(lambda: made[0].syncs == 1, seconds=3)
    writer.close()


def test_a_full_disk_is_told_and_everything_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.05)
    made: list[FailingFile] = []
    writer = JournalWriter(tmp_path / "j", open_file=lambda path: made.append(FailingFile(path)) or made[0])
    made[0].full = True
    writer.write(step(1))
    until(lambda: writer.trouble)
    assert "no room" in writer.trouble
    assert str(tmp_path / "j") in writer.trouble
    writer.write(step(2))
    assert not writer.flush(timeout=0.2)
    made[0].full = False
    assert writer.flush()
    assert writer.trouble == ""
    assert [event.step for event in read_journal(tmp_path / "j") if isinstance(event, Step)] == [1, 2]
    writer.close()


def test_a_disk_that_stays_full_does_not_keep_the_process_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.05)
    made: list[FailingFile] = []
    writer = JournalWriter(tmp_path / "j", open_file=lambda path: made.append(FailingFile(path)) or made[0])
    made[0].full = True
    writer.write(step(1))
    assert writer.close(timeout=0.3) is False
    assert not writer._thread.is_alive()


def test_a_hanging_disk_does_not_pace_the_step_and_the_gap_is_told(tmp_path: Path) -> None:
    made: list[FailingFile] = []
    writer = JournalWriter(tmp_path / "j", limit=100, open_file=lambda path: made.append(FailingFile(path)) or made[0])
    made[0].hanging = threading.Event()
    began = time.monotonic()
    for number in range(1, 1001):
        writer.write(step(number))
    writer.write(Paused(step=1000))
    assert time.monotonic() - began < 2
    made[0].hanging.set()
    assert writer.close()
    events = read_journal(tmp_path / "j")
    kept = [event for event in events if isinstance(event, Step)]
    assert 100 <= len(kept) <= 350
    assert any(isinstance(event, Paused) for event in events), "only steps and progress are ever left out"
    gaps = [event.message for event in events if isinstance(event, Warned) and event.code == "journal.gap"]
    assert sum(int(found[1]) for gap in gaps if (found := re.search(r"(\d+) lines?", gap))) == 1000 - len(kept)


def test_a_hundred_thousand_steps_are_read_in_seconds(tmp_path: Path) -> None:
    line = encode(step(1))
    (tmp_path / "j").write_text("".join(line.replace('"step": 1,', f'"step": {n},') + "\n" for n in range(1, 100_001)))
    began = time.monotonic()
    history = History()
    history.add(read_journal(tmp_path / "j"))
    assert history.step == 100_000
    assert time.monotonic() - began < 20  # 1.5 s on one quiet core
    began = time.monotonic()
    steps, values = history.series("loss", 100)
    assert len(steps) == len(values) <= 200
    assert time.monotonic() - began < 1
