"""`dbtui train`: what it takes, what it refuses, what signals do, what it shows. The trainer is a scripted one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.runfile import read, to_toml
from core.events import Done, Event, Failed, Phase, RunStarted, Step, Stopped
from core.runs import pump
from core.runs.folder import Run
from dbtui.__main__ import main
from dbtui.commands.configs import differences
from dbtui.commands.train import Watch
from dbtui.commands.train_display import Clock, PlainDisplay, ProgressDisplay, event_line, step_line

Said = pytest.CaptureFixture[str]
Script = Callable[[RunConfig, bool, Callable[[], Any]], Iterator[Event]]

STARTED = RunStarted(config_hash="", versions={}, device="CPU", total_steps=3, steps_per_epoch=3)


def step(number: int, *, time: float = 0.0, loss: float | None = 0.5, prior: float | None = None) -> Step:
    return Step(
        time=time, step=number, epoch=1, loss=loss, instance_loss=loss, prior_loss=prior, rate=1e-6,
        text_encoder_rate=None, gradient_norm=1.0, images_per_second=2.0, memory_bytes=0, skipped=loss is None,
    )  # fmt: skip


def to_the_end(config: RunConfig, resume: bool, poll: Callable[[], Any]) -> Iterator[Event]:
    yield STARTED
    for number in (1, 2, 3):
        yield step(number)
    yield Done(step=3, seconds=1.0)


def until_stopped(config: RunConfig, resume: bool, poll: Callable[[], Any]) -> Iterator[Event]:
    yield STARTED
    yield step(1)
    os.kill(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for command in poll():
            yield Stopped(step=1, saved=True, reason=command.fields["reason"], id=command.id)
            return
        time.sleep(0.01)


def to_a_failure(config: RunConfig, resume: bool, poll: Callable[[], Any]) -> Iterator[Event]:
    yield STARTED
    yield Failed(code="loss.nan", message="The loss is\x1b not a number.", advice="Take a lower rate.")


class Trainer:
    script: Script = staticmethod(to_the_end)
    lives: list[tuple[RunConfig, bool]] = []

    def __init__(self, config: RunConfig, folder: Path, resume: bool, poll: Callable[[], Any]) -> None:
        self._arguments = (config, resume, poll)
        self.lives.append((config, resume))

    def run(self) -> Iterator[Event]:
        return type(self).script(*self._arguments)


@pytest.fixture(autouse=True)
def trainer(monkeypatch: pytest.MonkeyPatch) -> type[Trainer]:
    monkeypatch.setattr(pump, "make_trainer", Trainer)
    monkeypatch.setattr(Trainer, "script", staticmethod(to_the_end))
    monkeypatch.setattr(Trainer, "lives", [])
    return Trainer


@pytest.fixture
def run_toml(tmp_path: Path, tiny_sd1: Path, home: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (number * 80, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    changes = {
        "model.name": "clock", "model.source": str(tiny_sd1), "concepts.0.instance.directory": "pictures",
        "concepts.0.instance.identifier": "ohwx", "concepts.0.instance.class_noun": "clock",
    }  # fmt: skip
    path = tmp_path / "run.toml"
    path.write_text(to_toml(with_changes(RunConfig(), changes)))
    return path


def test_a_file_is_trained_to_its_end(run_toml: Path, home: Path, capfd: Said) -> None:
    assert main(["train", str(run_toml)]) == 0
    assert "Done after 3 steps" in capfd.readouterr().out
    assert Run.open(home, "clock").config().concepts[0].instance.directory == str(run_toml.parent / "pictures")


def test_the_run_of_a_file_keeps_the_preset_that_the_file_was_made_from(run_toml: Path, home: Path) -> None:
    run_toml.write_text(to_toml(read(run_toml), made_from="style"))
    assert main(["train", str(run_toml)]) == 0
    assert Run.open(home, "clock").preset() == "style"


def test_set_changes_the_run_and_not_the_file(run_toml: Path, home: Path) -> None:
    before = run_toml.read_text()
    assert main(["train", str(run_toml), "--set", "intervals.epochs=7", "--set", "model.name=other"]) == 0
    assert Run.open(home, "other").config().intervals.epochs == 7
    assert run_toml.read_text() == before


@pytest.mark.parametrize("again", ["run.toml", "clock"])
def test_a_name_in_use_is_refused_with_both_ways(
    again: str, run_toml: Path, home: Path, capfd: Said, trainer: type[Trainer]
) -> None:
    assert main(["train", "run.toml"]) == 0
    capfd.readouterr()
    assert main(["train", again]) == 2
    said = capfd.readouterr().err
    assert "dbtui train clock --resume" in said
    assert "--set model.name=NAME" in said
    assert len(trainer.lives) == 1


def test_a_run_that_was_made_and_never_trained_needs_no_resume(
    run_toml: Path, home: Path, trainer: type[Trainer]
) -> None:
    Run.create(home, read(run_toml), "")
    assert main(["train", "clock"]) == 0
    assert [resume for _, resume in trainer.lives] == [False]


@pytest.fixture
def finished(run_toml: Path, home: Path, trainer: type[Trainer]) -> Run:
    """A run of 3 steps in one epoch, trained to its end."""
    run = Run.create(home, with_changes(read(run_toml), {"intervals.epochs": 1}), "")
    assert main(["train", "clock"]) == 0
    return run


@pytest.mark.parametrize(
    "more", [["clock"], ["clock", "--background"], ["clock", "--set", "intervals.epochs=1"], ["run.toml"]]
)
def test_a_finished_run_is_not_loaded_again_but_says_how_to_train_it_longer(
    more: list[str], finished: Run, trainer: type[Trainer], capfd: Said
) -> None:
    Path("run.toml").write_text(to_toml(finished.config()))
    capfd.readouterr()
    assert main(["train", *more, "--resume"]) == 0
    said = capfd.readouterr()
    assert "clock is finished (3/3)" in said.err
    assert "`--set intervals.epochs=N`: so far 1." in said.err
    assert (len(trainer.lives), said.out) == (1, "")


def test_a_finished_run_with_more_epochs_goes_on(finished: Run, trainer: type[Trainer]) -> None:
    finished.extend({"intervals.epochs": 2}, "")
    assert main(["train", "clock", "--resume"]) == 0
    assert len(trainer.lives) == 2


@pytest.mark.parametrize("target", ["run.tml", "runs/clock", "./clock", "pictures.txt"])
def test_what_is_written_like_a_file_is_looked_for_as_one(target: str, run_toml: Path, capfd: Said) -> None:
    assert main(["train", target]) == 2
    assert f"{Path(target)} cannot be read: No such file or directory." in capfd.readouterr().err


@pytest.mark.parametrize("name", ["clock.new", "clock-1.5"])
def test_a_run_may_have_a_dot_in_its_name(name: str, run_toml: Path, home: Path, trainer: type[Trainer]) -> None:
    Run.create(home, with_changes(read(run_toml), {"model.name": name}), "")
    assert main(["train", name]) == 0
    assert len(trainer.lives) == 1


def test_resume_takes_what_can_be_extended_and_records_it(run_toml: Path, home: Path, trainer: type[Trainer]) -> None:
    assert main(["train", "run.toml"]) == 0
    assert main(["train", "clock", "--resume", "--set", "intervals.epochs=150"]) == 0
    config, resume = trainer.lives[-1]
    assert (config.intervals.epochs, resume) == (150, True)
    assert Run.open(home, "clock").config().intervals.epochs == 150


def test_resume_refuses_what_a_run_keeps_for_life(
    run_toml: Path, home: Path, trainer: type[Trainer], capfd: Said
) -> None:
    assert main(["train", "run.toml"]) == 0
    assert main(["train", "clock", "--resume", "--set", "learning_rate.rate=1e-5"]) == 2
    assert "learning_rate.rate" in capfd.readouterr().err
    assert len(trainer.lives) == 1
    assert Run.open(home, "clock").config().learning_rate.rate == "auto"


def test_resuming_a_file_counts_its_changes_and_nothing_that_the_run_settled(
    run_toml: Path, home: Path, trainer: type[Trainer]
) -> None:
    assert main(["train", "run.toml"]) == 0
    seed = Run.open(home, "clock").config().performance.seed
    run_toml.write_text(run_toml.read_text().replace("epochs = 100", "epochs = 101"))
    assert main(["train", "run.toml", "--resume"]) == 0
    config = trainer.lives[-1][0]
    assert (config.intervals.epochs, config.performance.seed) == (101, seed)


def test_differences_are_those_options_that_say_something_else() -> None:
    held = with_changes(RunConfig(), {"performance.seed": 5, "concepts.0.name": "dog", "batch.size": 2})
    asked = with_changes(RunConfig(), {"batch.size": 4, "concepts.1.sample.count": 2})
    found = differences(asked, held)
    assert found.pop("batch.size") == 4
    assert found.pop("concepts.1.sample.count") == 2
    assert all(path.startswith("concepts.1.") for path in found)


def test_errors_are_listed_and_nothing_is_made(run_toml: Path, home: Path, trainer: type[Trainer], capfd: Said) -> None:
    assert main(["train", "run.toml", "--set", "batch.size=2", "--set", "concepts.0.instance.identifier="]) == 2
    said = capfd.readouterr().err
    assert "batch.size" in said
    assert "--set batch.size=3" in said
    assert not (home / "runs" / "clock").exists()
    assert trainer.lives == []


def test_the_errors_that_refuse_it_are_its_last_words(run_toml: Path, trainer: type[Trainer], capfd: Said) -> None:
    assert main(["train", "run.toml", "--set", "batch.size=2", "--set", "concepts.0.instance.identifier="]) == 2
    heads = [line for line in capfd.readouterr().err.splitlines() if line[:1].strip()]
    assert "warning" in heads[0]
    assert "error" in heads[-1]


@pytest.mark.parametrize(
    ("target", "words"),
    [("nothing.toml", "cannot be read"), ("nothing", "There is no run nothing"), ("../x", "cannot be read"),
     ("a\x1bb", "cannot be the name")],
)  # fmt: skip
def test_what_is_not_there_is_refused(target: str, words: str, home: Path, capfd: Said) -> None:
    assert main(["train", target]) == 2
    said = capfd.readouterr().err
    assert words in said
    assert "\x1b" not in said


def test_sigterm_saves_and_stops(
    run_toml: Path,
    home: Path,
    trainer: type[Trainer],
    monkeypatch: pytest.MonkeyPatch,
    capfd: Said,
) -> None:
    monkeypatch.setattr(trainer, "script", staticmethod(until_stopped))
    assert main(["train", "run.toml"]) == 3
    said = capfd.readouterr()
    assert "Stopped at step 1, saved" in said.out
    assert "dbtui train clock --resume" in said.err
    last = json.loads((home / "runs/clock/journal.jsonl").read_text().splitlines()[-1])
    assert (last["kind"], last["reason"]) == ("stopped", "terminated")


class Asked:
    """A handle that notes what a signal makes of a run."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def request(self, command: str, **fields: Any) -> None:
        self.heard.append(f"{command} {fields['reason']}")

    def end_now(self) -> None:
        self.heard.append("end now")


@pytest.mark.parametrize(
    ("seconds", "reasons", "heard"),
    [
        (60.0, ["terminated", "terminated"], ["stop terminated"]),
        (60.0, ["user", "terminated"], ["stop user"]),
        (0.0, ["terminated", "terminated"], ["stop terminated", "end now"]),
        (60.0, ["user", "user"], ["stop user", "end now"]),
        (60.0, ["terminated", "user"], ["stop terminated", "end now"]),
    ],
    ids=["both-of-us", "launched", "later", "by-hand", "by-hand-after-all"],
)
def test_sigterm_from_two_sides_is_one_wish_and_ctrl_c_twice_is_two(
    seconds: float, reasons: list[str], heard: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.commands.processes.TWICE_SECONDS", seconds)
    monkeypatch.setattr("dbtui.commands.train.os._exit", lambda code: None)
    watch, handle = Watch(Run(tmp_path, "clock")), Asked()
    monkeypatch.setattr(watch, "_handle", handle)
    for reason in reasons:
        watch._stop(reason)
    assert handle.heard[: len(heard)] == heard
    assert ("end now" in handle.heard) == ("end now" in heard)


def test_a_failure_is_code_1_with_its_advice(
    run_toml: Path,
    home: Path,
    trainer: type[Trainer],
    monkeypatch: pytest.MonkeyPatch,
    capfd: Said,
) -> None:
    monkeypatch.setattr(trainer, "script", staticmethod(to_a_failure))
    assert main(["train", "run.toml"]) == 1
    assert capfd.readouterr().err.endswith("The loss is\\x1b not a number. Take a lower rate.\n")


SCRIPTED = """
import os, signal, sys, time
from core.runs import pump
from tests.dbtui.test_cli_train import STARTED, Trainer, step
from core.events import Done
from dbtui.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs behind it with Ctrl+C ignored
def script(config, resume, poll):
    yield STARTED
    yield step(1)
    print("a library prints this")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not os.path.exists("go-on"):
        time.sleep(0.01)
    yield Done(step=3, seconds=1.0)
Trainer.script = staticmethod(script)
pump.make_trainer = Trainer
sys.exit(main(["train", "run.toml"]))
"""


@pytest.fixture
def in_a_process(run_toml: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    children: list[subprocess.Popen[bytes]] = []

    def start(**streams: Any) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).parents[2])
        child = subprocess.Popen(
            [sys.executable, "-c", SCRIPTED], cwd=run_toml.parent, env=os.environ | {"PYTHONPATH": root}, **streams
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def journal(home: Path) -> str:
    path = home / "runs/clock/journal.jsonl"
    return path.read_text() if path.exists() else ""


def test_a_second_signal_ends_it_now_and_the_journal_says_so(home: Path, in_a_process: Callable[..., Any]) -> None:
    child = in_a_process(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: '"step": 1' in journal(home))
    child.send_signal(signal.SIGINT)
    said = next((line for line in child.stdout if b"once more" in line), None)
    assert said is not None, child.stderr.read().decode()
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 1
    assert json.loads(journal(home).splitlines()[-1])["code"] == "run.interrupted"


def test_when_the_terminal_goes_training_goes_on(home: Path, in_a_process: Callable[..., Any]) -> None:
    master, slave = os.openpty()
    child = in_a_process(stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    wait_until(lambda: '"step": 1' in journal(home))
    os.close(master)
    child.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert child.poll() is None
    (home.parent / "go-on").touch()
    assert child.wait(30) == 0
    assert json.loads(journal(home).splitlines()[-1])["kind"] == "done"
    assert "a library prints this" in (home / "runs/clock/train.log").read_text()


def test_the_time_left_follows_the_steps() -> None:
    clock = Clock()
    clock.note(STARTED)
    assert clock.seconds_left(1) is None
    clock.note(step(1, time=100.0))
    clock.note(step(2, time=110.0))
    assert clock.seconds_left(2) == 10.0


def test_a_pause_does_not_count_for_the_time_left() -> None:
    clock = Clock()
    clock.note(STARTED)
    clock.note(step(1, time=100.0))
    clock.note(Phase(name="sampling"))
    clock.note(step(2, time=500.0))
    assert clock.seconds_left(2) is None


def test_a_step_that_is_no_number_says_so() -> None:
    assert "skipped" in step_line(step(1, loss=None), Clock())
    assert "loss –" in step_line(step(1, loss=None), Clock())


def test_plain_lines_say_the_first_and_the_last_step_and_not_each() -> None:
    out = io.StringIO()
    display = PlainDisplay(out)
    started = RunStarted(config_hash="", versions={}, device="CPU", total_steps=50, steps_per_epoch=5)
    display.show([started, Phase(name="training"), *(step(number) for number in range(1, 51))])
    lines = [line for line in out.getvalue().splitlines() if line.startswith("Step ")]
    assert lines[0].startswith("Step 1/50")
    assert lines[-1].startswith("Step 50/50")
    assert len(lines) == 2


def test_the_progress_display_shows_foreign_words_as_they_are() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Screen()
    display = ProgressDisplay(out)
    display.show([Failed(code="x", message="x"), Phase(name="[bold]x\x1b]0;y[/]", total=3)])
    display.remark("[/] :smile: [@click=app.bell]x")
    display.close()
    assert "[/] :smile: [@click=app.bell]x" in out.getvalue()
    assert "\x1b]0;" not in out.getvalue()
    assert "[bold]x" in out.getvalue()


@pytest.mark.parametrize(
    ("device", "exact", "says"),
    [("CPU", True, None), ("CPU", False, "its length, another option"), ("NVIDIA H100", False, "a GPU adds up")],
)
def test_who_resumes_is_told_why_it_is_not_bit_for_bit(device: str, exact: bool, says: str | None) -> None:
    line = event_line(replace(STARTED, device=device, resumed_from=2, exact=exact))
    assert line is not None and (says or "") in line
    assert ("bit for bit" in line) == (says is not None)
