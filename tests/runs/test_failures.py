"""A trainer that fails: every failure becomes an event with its mend."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Done, Event, Failed
from core.planning.remedies import remedies
from core.runs.commands import Command
from core.runs.folder import Run
from core.runs.journal import summary
from core.runs.lock import owner
from core.runs.pump import train
from core.texts import UserError
from core.training import faults
from tests.runs.bodies import Body, failing, last
from tests.runs.fakes import started


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            UserError("source.cut", "{path} is cut short.", mend="Get it {again}.", path="a", again="again"),
            "source.cut",
        ),
        (MemoryError(), "memory.out"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory.out"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), "memory.out"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk.full"),
        (OSError(errno.EIO, "Input/output error"), "disk.broken"),
        (ZeroDivisionError("division\nby zero"), "internal"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/a.png"), "disk.missing"),
    ],
)
def test_every_failure_becomes_an_event_with_its_mend(
    run: Run, trains: Callable[[Body], None], error: Exception, code: str
) -> None:
    trains(failing(error))
    ending = train(run, resume=False)
    assert (ending.kind, ending.exit_code) == ("failed", 1)
    event = ending.event
    assert isinstance(event, Failed)
    assert event == last(run)
    assert (event.code, event.step) == (code, 2)
    assert event.message
    assert event.advice
    assert "\n" not in event.message
    log = run.log_path.read_text()
    assert "Traceback" in log
    assert type(error).__name__ in log
    assert owner(run.lock_path) is None


def test_the_message_of_a_failure_names_what_it_is_about(run: Run, trains: Callable[[Body], None]) -> None:
    trains(
        failing(UserError("source.cut", "{path} is cut short.", mend="Get it {again}.", path="a.ckpt", again="anew"))
    )
    event = train(run, resume=False).event
    assert isinstance(event, Failed)
    assert (event.message, event.advice) == ("a.ckpt is cut short.", "Get it anew.")


def test_advice_for_lack_of_memory_leaves_out_what_is_in_force(run: Run, trains: Callable[[Body], None]) -> None:
    config = with_changes(run.config(), {"performance.gradient_checkpointing": True, "batch.size": 4})
    from core.config.runfile import to_toml

    run.config_path.write_text(to_toml(config))
    trains(failing(MemoryError()))
    event = train(run, resume=False).event
    assert isinstance(event, Failed)
    assert "gradient_checkpointing" not in event.advice
    pair = "Batch size (batch.size = 1), Gradient accumulation (batch.accumulation = 4)"
    assert event.advice.index(pair) < event.advice.index("Resolution (model.resolution)")


def test_what_is_said_of_lack_of_memory_is_what_is_offered_after_it() -> None:
    config = RunConfig()
    for error, size in ((faults.out_of_memory(config, 512), 512), (faults.no_room_for_the_optimizer(config), None)):
        said = error.message.advice
        places = [said.find(fix.label.text) for fix in remedies(error.code, config, size)]
        assert places and places == sorted(places) and -1 not in places
        assert ("384" in said) is (size is not None)


def test_an_ending_without_a_word_is_a_mistake_of_the_program(run: Run, trains: Callable[[Body], None]) -> None:
    trains(lambda folder, poll: iter([started()]))
    event = train(run, resume=False).event
    assert isinstance(event, Failed)
    assert event.code == "internal"


def test_a_failure_after_the_last_word_is_the_last_word(run: Run, trains: Callable[[Body], None]) -> None:
    def body(folder: Path, poll: Callable[[], Sequence[Command]]) -> Iterator[Event]:
        yield Done(step=1, seconds=1.0)
        raise ZeroDivisionError

    trains(body)
    assert train(run, resume=False).kind == "failed"
    assert summary(run).state == "failed"


def test_an_interrupt_inside_the_trainer_is_told_and_goes_on_up(run: Run, trains: Callable[[Body], None]) -> None:
    trains(failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        train(run, resume=False)
    event = last(run)
    assert isinstance(event, Failed)
    assert event.code == "run.interrupted"
    assert owner(run.lock_path) is None
