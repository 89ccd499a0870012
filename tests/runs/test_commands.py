"""Commands: what is asked of a running trainer reaches it once, and nobody else."""

from __future__ import annotations

import fcntl
import json
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import Done, Paused, Stopped
from core.runs import pump
from core.runs.commands import COMMANDS, Command, CommandReader, Requests, await_answer, new_command, send
from core.runs.folder import Run
from core.runs.journal import JournalWriter
from core.runs.lock import RunLock
from core.texts import UserError
from tests.runs.conftest import Spawn
from tests.runs.fakes import FakeTrainer


def test_nobody_is_asked_where_nobody_trains(run: Run) -> None:
    with pytest.raises(UserError) as refused:
        send(run, "pause")
    assert refused.value.code == "run.not-running"
    assert run.name in str(refused.value)
    assert not run.commands_path.exists()


def test_commands_from_before_it_started_do_not_count(run: Run) -> None:
    with RunLock(run.lock_path):
        send(run, "stop")
        reader = CommandReader(run.commands_path)
        assert reader.poll() == []
        id_ = send(run, "pause")
        assert reader.poll() == [Command("pause", id_, {})]
        assert reader.poll() == []
        reader.close()


def test_a_command_counts_from_the_first_instant_that_somebody_sees_the_lock(
    run: Run, trainers: list[FakeTrainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    sent: list[str] = []

    def send_at_once(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        if operation & fcntl.LOCK_EX and not sent and Path(f"/proc/self/fd/{descriptor}").readlink() == run.lock_path:
            sent.append("")
            sent[0] = send(run, "stop")

    monkeypatch.setattr(fcntl, "flock", send_at_once)
    ending = pump.train(run, resume=False)
    assert isinstance(ending.event, Stopped)
    assert ending.event.id == sent[0]


def test_a_stop_meant_for_the_owner_before_does_not_stop_the_next_one(run: Run, trainers: list[FakeTrainer]) -> None:
    before = RunLock(run.lock_path)
    before.acquire()

    def last_moments() -> None:
        send(run, "stop")
        before.release()

    threading.Timer(0.3, last_moments).start()
    assert isinstance(pump.train(run, resume=False).event, Done)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_arrives_with_its_id_and_fields(run: Run, name: str) -> None:
    with RunLock(run.lock_path):
        reader = CommandReader(run.commands_path)
        id_ = send(run, name, discard=True)
        assert reader.poll() == [Command(name, id_, {"discard": True})]
        line = json.loads(run.commands_path.read_text())
        assert (line["command"], line["id"], line["discard"]) == (name, id_, True)
        reader.close()


def test_a_command_that_is_none_is_a_mistake_of_the_program(run: Run) -> None:
    with pytest.raises(ValueError, match="explode"):
        send(run, "explode")
    with pytest.raises(ValueError, match="explode"):
        new_command("explode")


def test_a_line_written_by_hand_is_obeyed(run: Run) -> None:
    reader = CommandReader(run.commands_path)
    with run.commands_path.open("a") as file:
        file.write('{"command": "save", "id": "mine"}\n{"command": "stop"}\n')
    assert reader.poll() == [Command("save", "mine", {}), Command("stop", "", {})]
    reader.close()


def test_a_torn_line_waits_for_its_end(run: Run) -> None:
    reader = CommandReader(run.commands_path)
    with run.commands_path.open("a") as file:
        file.write('{"command": "save", ')
        file.flush()
        assert reader.poll() == []
        file.write('"id": "a"}\n')
        file.flush()
        assert reader.poll() == [Command("save", "a", {})]
    reader.close()


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(b'{"command": ["a"]}'), st.just(b"[" * 5000)), max_size=10))
@settings(max_examples=60, deadline=None)
def test_garbage_among_commands_is_left_out_and_the_next_one_is_heard(garbage: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "commands.jsonl"
        reader = CommandReader(path)
        path.write_bytes(b"\n".join(garbage) + b'\n{"command": "stop", "id": "z"}\n')
        assert reader.poll()[-1] == Command("stop", "z", {})
        reader.close()


def test_an_endless_line_does_not_stop_the_reader(run: Run) -> None:
    reader = CommandReader(run.commands_path)
    run.commands_path.write_bytes(b"x" * (3 << 20) + b'\n{"command": "stop", "id": "z"}\n')
    heard = [command for _ in range(5) for command in reader.poll()]
    assert heard == [Command("stop", "z", {})]
    reader.close()


def test_commands_of_many_senders_all_arrive(run: Run) -> None:
    with RunLock(run.lock_path):
        reader = CommandReader(run.commands_path)
        sent: list[str] = []
        senders = [threading.Thread(target=lambda: sent.append(send(run, "sample"))) for _ in range(20)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert sorted(command.id for command in reader.poll()) == sorted(sent)
        reader.close()


def test_requests_of_this_process_come_in_order_and_once() -> None:
    requests = Requests()
    first, second = new_command("pause"), new_command("stop", reason="terminated")
    requests.put(first)
    requests.put(second)
    assert requests.take() == [first, second]
    assert requests.take() == []
    assert second.fields == {"reason": "terminated"}


def test_the_answer_is_the_event_with_the_id(run: Run) -> None:
    with RunLock(run.lock_path):
        writer = JournalWriter(run.journal_path)
        writer.write(Paused(step=1, id="other"))
        threading.Timer(0.3, writer.write, [Paused(step=2, id="mine")]).start()
        assert await_answer(run, "mine", timeout=10) == Paused(step=2, id="mine", time=pytest.approx(0, abs=1e12))
        assert await_answer(run, "never", timeout=0.2) is None
        writer.close()


def test_a_run_that_ends_without_answering_is_told(run: Run) -> None:
    with pytest.raises(UserError) as ended:
        await_answer(run, "mine", timeout=10)
    assert ended.value.code == "run.ended-unanswered"


def test_another_process_is_paused_continued_and_stopped(run: Run, spawn: Spawn) -> None:
    process = spawn(run, "--slow")
    for command in ("pause", "continue", "save"):
        answer = await_answer(run, send(run, command))
        assert answer is not None
    answer = await_answer(run, send(run, "stop", discard=True))
    assert isinstance(answer, Stopped)
    assert not answer.saved
    assert process.wait(20) == 3


def test_the_last_word_of_a_run_still_counts_as_its_answer(run: Run, spawn: Spawn) -> None:
    process: subprocess.Popen[bytes] = spawn(run, "--slow")
    id_ = send(run, "stop")
    process.wait(20)
    assert isinstance(await_answer(run, id_), Stopped)
