"""Commands on runs that are there: runs, delete, controls, attach, export."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from core.events import Done, Export, Paused, RunStarted, Step, Stopped, encode
from core.runs import queue
from core.runs.commands import CommandReader
from core.runs.folder import Run
from core.runs.home import home_directory
from core.runs.lock import RunLock
from dbtui import app as dbtui_app
from dbtui import boundary
from dbtui.__main__ import main
from dbtui.commands import control
from tests.dbtui.conftest import Said

pytestmark = pytest.mark.usefixtures("home")


class TestRuns:
    def test_no_runs_says_how_to_make_one(self, capsys: Said) -> None:
        assert main(["runs"]) == 0
        assert "There are no runs" in capsys.readouterr().out

    def test_lists_what_programs_ask_for(self, make_run: Callable[..., Run], capsys: Said) -> None:
        run = make_run("clock", *_trained(3), Stopped(step=3, saved=True))
        assert main(["runs", "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        wanted = {"name": "clock", "state": "stopped", "step": 3, "total": 10, "loss": 0.5, "pid": 0}
        assert found | wanted == found
        assert found["folder"] == str(run.path)

    def test_the_newest_comes_first(self, make_run: Callable[..., Run], capsys: Said) -> None:
        make_run("before", *_trained(1, time=100.0))
        make_run("then", *_trained(1, time=200.0))
        main(["runs", "--json"])
        assert [run["name"] for run in json.loads(capsys.readouterr().out)] == ["then", "before"]

    @pytest.mark.parametrize("columns", [40, 80, 111, 300])
    def test_each_run_is_one_line_in_a_terminal_of_any_width(
        self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Said, columns: int
    ) -> None:
        names = ("clock", "a-name-" + 8 * "as-long")
        runs = [make_run(name, *_trained(3), Stopped(step=3, saved=True)) for name in names]
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert main(["runs"]) == 0
        said = Text.from_ansi(capsys.readouterr().out).plain
        lines = said.splitlines()
        for run in runs:
            assert [line for line in lines if line.split()[:3] == [run.name, "stopped", "3"]]
        assert str(runs[0].path.parent) in said
        assert " ".join(lines[2 + 2 :]) == (f"They lie in {runs[0].path.parent}" if "They lie in" in said else "")
        assert columns < 300 or all(str(run.path) in said for run in runs)
        widest = max(len(line.rstrip()) for line in lines if "They lie in" not in line)
        assert widest <= max(columns, 90)

    def test_a_pipe_gets_every_column_whole(
        self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        run = make_run("a-name-" + 8 * "as-long", *_trained(3), Stopped(step=3, saved=True))
        monkeypatch.setenv("COLUMNS", "80")
        assert main(["runs"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[-1].split() == [run.name, "stopped", "3", "10", "0.5000", str(run.path)]


class TestQueue:
    def test_a_command_that_added_nothing_names_no_next_step(self, make_run: Callable[..., Run], capsys: Said) -> None:
        queue.add(home_directory(None), make_run("clock"), processes=1, seconds=None)
        assert main(["queue", "add", "nothing.toml"]) == 2
        said = capsys.readouterr()
        assert "queue start" not in said.out + said.err


class TestDelete:
    def test_asks_and_keeps_what_is_not_agreed_to(
        self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        run = make_run("clock", *_trained(3))
        monkeypatch.setattr("builtins.input", lambda _: "n")
        assert main(["delete", "clock"]) == 3
        assert run.path.exists()
        assert str(run.path) in capsys.readouterr().out

    def test_nobody_to_ask_is_a_refusal(
        self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        run = make_run("clock")
        monkeypatch.setattr("sys.stdin", io.StringIO())
        assert main(["delete", "clock"]) == 2
        assert run.path.exists()
        said = capsys.readouterr()
        assert "[y/N]" not in said.out + said.err and "clock has no saved state and takes" in said.out

    def test_yes_deletes(self, make_run: Callable[..., Run]) -> None:
        run = make_run("clock")
        assert main(["delete", "clock", "--yes"]) == 0
        assert not run.path.exists()

    def test_a_run_in_training_stays(self, make_run: Callable[..., Run], capsys: Said) -> None:
        run = make_run("clock")
        with RunLock(run.lock_path):
            assert main(["delete", "clock", "--yes"]) == 2
        assert run.path.exists()
        assert "dbtui stop clock" in capsys.readouterr().err


class TestControls:
    @pytest.fixture
    def obeying(self, make_run: Callable[..., Run]) -> Iterator[list[Any]]:
        """A process that trains the run `clock` and answers every command."""
        run = make_run("clock")
        seen: list[Any] = []
        over = threading.Event()

        def answer() -> None:
            while not over.is_set():
                for command in reader.poll():
                    seen.append(command)
                    kind = Stopped(step=7, saved=not command.fields.get("discard"), id=command.id)
                    event = Paused(step=7, id=command.id) if command.command == "pause" else kind
                    with run.journal_path.open("a") as journal:
                        journal.write(encode(event) + "\n")
                time.sleep(0.01)

        with RunLock(run.lock_path):
            reader = CommandReader(run.commands_path)
            thread = threading.Thread(target=answer)
            thread.start()
            yield seen
            over.set()
            thread.join()

    def test_pause_waits_for_its_answer(self, obeying: list[Any], capsys: Said) -> None:
        assert main(["pause", "clock"]) == 0
        assert [command.command for command in obeying] == ["pause"]
        assert "rests at step 7" in capsys.readouterr().out

    def test_what_is_to_be_typed_next_names_the_folder_of_the_runs_where_it_is_not_the_usual_one(
        self, obeying: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        home = str(home_directory(None))
        monkeypatch.setenv("DBTUI_HOME", "/somewhere/else")
        for command, told in (("pause", f"`dbtui continue clock --home {home}`"),
                              ("stop", f"`dbtui train clock --resume --home {home}`")):  # fmt: skip
            assert main([command, "clock", "--home", home]) == 0
            assert told in capsys.readouterr().out
        assert main(["queue", "stop", "--home", home]) == 2
        assert f"`dbtui queue start --background --home {home}`" in capsys.readouterr().err

    def test_stop_discard_asks_for_it(self, obeying: list[Any], capsys: Said) -> None:
        assert main(["stop", "clock", "--discard"]) == 0
        assert obeying[0].fields["discard"] is True
        assert "not saved" in capsys.readouterr().out

    @pytest.mark.parametrize("command", ["pause", "continue", "save", "sample", "stop"])
    def test_nobody_trains_it_is_a_refusal(self, command: str, make_run: Callable[..., Run], capsys: Said) -> None:
        make_run("clock")
        assert main([command, "clock"]) == 2
        assert "Nobody trains clock" in capsys.readouterr().err

    @pytest.mark.parametrize("command", ["pause", "continue", "save", "sample", "stop"])
    def test_a_run_that_has_finished_is_said_to_and_what_can_be_done_with_it(
        self, command: str, make_run: Callable[..., Run], capsys: Said
    ) -> None:
        make_run("clock", *_trained(10), Done(step=10, seconds=9.0))
        assert main([command, "clock"]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "clock has finished" in said and "Nobody" not in said
        for mend in ("dbtui export clock", "dbtui train clock --resume --set intervals.epochs=N"):
            assert mend in said

    def test_no_answer_in_time_is_said(
        self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        run = make_run("clock")
        monkeypatch.setattr(control, "ANSWER_SECONDS", 0.2)
        with RunLock(run.lock_path):
            assert main(["save", "clock"]) == 1
        assert "has not answered" in capsys.readouterr().err


class TestAttach:
    @pytest.fixture(autouse=True)
    def attached(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        calls: list[Any] = []
        monkeypatch.setattr(boundary, "needs_terminal", lambda: None)
        monkeypatch.setattr("dbtui.commands.runs.needs_terminal", lambda: None)
        monkeypatch.setattr(dbtui_app, "run_app", lambda home, attach=None: calls.append((home, attach)) or 3)
        return calls

    def test_opens_the_named_run_and_hands_its_code_on(
        self, make_run: Callable[..., Run], attached: list[Any], home: Path
    ) -> None:
        make_run("clock")
        make_run("other")
        assert main(["attach", "clock"]) == 3
        assert attached == [(home, "clock")]

    def test_without_a_name_the_run_in_training_is_meant(
        self, make_run: Callable[..., Run], attached: list[Any]
    ) -> None:
        trained = make_run("trained", *_trained(1, time=100.0))
        make_run("newest", *_trained(1, time=200.0))
        with RunLock(trained.lock_path):
            main(["attach"])
        main(["attach"])
        assert [name for _, name in attached] == ["trained", "newest"]

    def test_no_such_run_is_refused(self, attached: list[Any]) -> None:
        assert main(["attach", "nothing"]) == 2
        assert main(["attach"]) == 2
        assert attached == []


class TestExport:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["nothing"], "There is no run nothing"),
            (["clock", "--format", "safetensor"], "Choose one of safetensors, ckpt"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, arguments: list[str], words: str, make_run: Callable[..., Run], capsys: Said
    ) -> None:
        make_run("clock")
        assert main(["export", *arguments]) == 2
        assert words in capsys.readouterr().err

    def test_what_the_person_leaves_open_is_as_the_run_asks_and_the_path_is_where_it_lies(
        self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Said
    ) -> None:
        asked: list[Any] = []

        def export_run(folder: Path, **wishes: Any) -> Export:
            asked.append((folder, wishes))
            return Export(path=str(wishes["output"]), format="ckpt", bytes=2000)

        monkeypatch.setattr("core.export.run.export_run", export_run)
        run = make_run("clock")
        assert main(["export", "clock", "-o", "out.ckpt"]) == 0
        said = capsys.readouterr()
        assert said.out == f"{tmp_path / 'out.ckpt'}, 2.0 kB\n" and said.err.startswith("Exported:\n")
        open_wishes = {"step": None, "format": None, "half": None, "prompts": False, "average": False,
                       "output": tmp_path / "out.ckpt"}  # fmt: skip
        assert asked == [(run.path, open_wishes)]
        assert (
            main(["export", "clock", "--step", "4", "--format", "ckpt", "--full", "--prompts", "--ema", "-o",
                  "out.ckpt"]) == 0
        )  # fmt: skip
        said_wishes = {"step": 4, "format": "ckpt", "half": False, "prompts": True, "average": True}
        assert asked[1][1] == open_wishes | said_wishes


def _trained(steps: int, *, time: float = 1000.0) -> list[Any]:
    started = RunStarted(time=time, config_hash="", versions={}, device="CPU", total_steps=10, steps_per_epoch=5)
    return [started] + [
        Step(
            time=time + number, step=number, epoch=1, loss=0.5, instance_loss=0.5, prior_loss=None, rate=1e-6,
            text_encoder_rate=None, gradient_norm=1.0, images_per_second=2.0, memory_bytes=0,
        )
        for number in range(1, steps + 1)
    ]  # fmt: skip
