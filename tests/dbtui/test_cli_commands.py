"""The other commands: new, check, runs, delete, controls, export, generate, options, presets, doctor, attach."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.presets import built_in_presets
from core.config.runfile import read
from core.config.table import option_table
from core.events import Export, Paused, RunStarted, Step, Stopped, encode
from core.runs.commands import CommandReader
from core.runs.folder import Run
from core.runs.home import home_directory
from core.runs.lock import RunLock
from dbtui import app as dbtui_app
from dbtui import boundary, probes
from dbtui.__main__ import main
from dbtui.commands import control, doctor
from dbtui.commands.terminal_probe import protocols_in

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(6):
        Image.new("RGB", (64, 64), (number * 40, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def make_run(home: Path) -> Callable[[str], Run]:
    def make(name: str, *events: Any) -> Run:
        run = Run.create(home, with_changes(RunConfig(), {"model.name": name}), "0.1.0")
        run.journal_path.write_text("".join(encode(event) + "\n" for event in events))
        return run

    return make


def write_new(*more: str) -> int:
    return main(["new", "clock", "--preset", "face", "--source", "tiny", "--instance", "pictures",
                 "--identifier", "ohwx", "--class", "alarm clock", *more])  # fmt: skip


class TestNew:
    def test_writes_what_was_said_over_the_preset(self, pictures: Path) -> None:
        assert write_new("--set", "batch.size=2", "--set", "concepts.0.sample.count=4", "-o", "my.toml") == 0
        config = read(Path("my.toml"))
        concept = config.concepts[0]
        assert (config.model.name, config.batch.size, concept.sample.count) == ("clock", 2, 4)
        assert (concept.instance.identifier, concept.instance.class_noun) == ("ohwx", "alarm clock")
        assert concept.prior.images_per_instance == 5
        assert concept.instance.directory == str(pictures)

    @pytest.mark.parametrize(
        ("source", "more", "numbers"),
        [
            ("sdxl", (), (True, 1e-4, 8)),
            ("sdxl", ("lora.enabled=false",), (False, 1e-6, 16)),
            ("sd2", (), (False, 2e-6, 16)),
            ("sd2", ("lora.enabled=true", "lora.rank=4"), (True, 1e-4, 4)),
        ],
    )
    def test_the_numbers_are_the_presets_for_the_family_of_the_source_and_the_method(
        self, pictures: Path, tiny_of: Callable[[str], Path], source: str, more: tuple[str, ...],
        numbers: tuple[bool, float, int], capsys: Said,
    ) -> None:  # fmt: skip
        sets = [word for change in (f"model.source={tiny_of(source)}", *more) for word in ("--set", change)]
        capsys.readouterr()  # what the library says while it writes the source
        assert write_new("--preset", "low-memory", *sets) == 0
        config = read(Path("run.toml"))
        assert (config.lora.enabled, config.learning_rate.rate, config.lora.rank) == numbers
        assert capsys.readouterr().err == ""

    def test_a_source_that_cannot_be_told_yet_is_said_to_be(self, pictures: Path, capsys: Said) -> None:
        assert write_new() == 0
        assert "those of the preset for Stable Diffusion 1" in capsys.readouterr().err
        assert read(Path("run.toml")).performance.text_encoder_ratio == 0.7
        assert write_new("--set", "model.family=sdxl", "-o", "xl.toml") == 0
        assert capsys.readouterr().err == ""
        assert read(Path("xl.toml")).performance.text_encoder_ratio == 0

    def test_the_demo_keeps_what_the_preset_is_about(self, pictures: Path) -> None:
        assert write_new("--preset", "style", "--set", "model.source=demo") == 0
        config = read(Path("run.toml"))
        assert (config.performance.text_encoder_ratio, config.concepts[0].prior.images_per_instance) == (0.2, 0)
        assert config.learning_rate.rate == 2.5e-4

    def test_leaves_an_existing_file_alone(self, pictures: Path, capsys: Said) -> None:
        Path("run.toml").write_text("mine")
        assert write_new() == 2
        assert Path("run.toml").read_text() == "mine"
        assert "run.toml exists already" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (["--preset", "fase"], f"Choose one of {', '.join(built_in_presets())}"),
            (["--set", "batch.sise=2"], "Did you mean batch.size?"),
            (["--set", "batch.size"], "has no ="),
            (["--set", "batch.size=many"], "Batch size must be a whole number"),
            (["--set", "learning_rate.rate=-1"], "Learning rate must be"),
            (["--set", "model.name=../x"], "Run name must be"),
        ],
    )
    def test_what_is_wrong_is_named_and_nothing_is_written(self, wrong: list[str], words: str, capsys: Said) -> None:
        assert write_new(*wrong) == 2
        assert words in capsys.readouterr().err
        assert not Path("run.toml").exists()


class TestCheck:
    @pytest.fixture(autouse=True)
    def run_toml(self, pictures: Path, tiny_sd1: Path) -> None:
        assert write_new("--set", f"model.source={tiny_sd1}", "--set", "concepts.0.prior.steps=2") == 0

    def test_a_good_file_has_a_plan_and_code_0(self, capsys: Said) -> None:
        assert main(["check", "run.toml", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert all(finding["level"] != "error" for finding in found["findings"])
        assert found["plan"]["steps"] == 600
        assert found["plan"]["class_wanted"] == 30
        assert found["plan"]["disk_bytes"] > 0

    def test_an_error_has_its_field_its_fixes_and_code_2(self, capsys: Said) -> None:
        text = Path("run.toml").read_text().replace("\nsize = 1", "\nsize = 4")
        Path("run.toml").write_text(text)
        assert main(["check", "run.toml", "--json"]) == 2
        findings = json.loads(capsys.readouterr().out)["findings"]
        (finding,) = [finding for finding in findings if finding["level"] == "error"]
        assert finding["field"] == "batch.size"
        assert {"batch.size": 3, "batch.accumulation": 1} in [fix["changes"] for fix in finding["fixes"]]

    def test_people_read_findings_and_plan(self, capsys: Said) -> None:
        assert main(["check", "run.toml"]) == 0
        said = capsys.readouterr().out
        assert "600 steps: 100 epochs of 6 steps" in said
        assert "30, 30 of them to be made" in said

    def test_every_bad_option_is_named_at_once(self, capsys: Said) -> None:
        text = Path("run.toml").read_text()
        Path("run.toml").write_text(text.replace("\nepochs = 100", "\nepoch = 5").replace("\nrate = ", "\nrate = -"))
        assert main(["check", "run.toml"]) == 2
        said = capsys.readouterr().err
        assert "2 options are wrong in" in said
        assert "intervals.epochs" in said
        assert "learning_rate.rate" in said

    def test_names_of_pictures_cannot_command_the_terminal(self, pictures: Path, capsys: Said) -> None:
        (pictures / "\x1b]0;gotcha\x07[bold].png").write_bytes(b"nothing")
        main(["check", "run.toml"])
        said = capsys.readouterr().out
        assert "\x1b]0;" not in said
        assert "[bold]" in said


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


class TestDelete:
    def test_asks_and_keeps_what_is_not_agreed_to(
        self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        run = make_run("clock", *_trained(3))
        monkeypatch.setattr("builtins.input", lambda _: "n")
        assert main(["delete", "clock"]) == 3
        assert run.path.exists()
        assert str(run.path) in capsys.readouterr().out

    def test_nobody_to_ask_is_a_refusal(self, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
        run = make_run("clock")
        monkeypatch.setattr("sys.stdin", io.StringIO())
        assert main(["delete", "clock"]) == 2
        assert run.path.exists()

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
        assert capsys.readouterr().out == f"{tmp_path / 'out.ckpt'}, 2.0 kB\n"
        open_wishes = {"step": None, "format": None, "half": None, "prompts": False, "average": False,
                       "output": tmp_path / "out.ckpt"}  # fmt: skip
        assert asked == [(run.path, open_wishes)]
        assert (
            main(["export", "clock", "--step", "4", "--format", "ckpt", "--full", "--prompts", "--ema", "-o",
                  "out.ckpt"]) == 0
        )  # fmt: skip
        said_wishes = {"step": 4, "format": "ckpt", "half": False, "prompts": True, "average": True}
        assert asked[1][1] == open_wishes | said_wishes


class TestGenerate:
    def test_pictures_of_a_source_are_those_of_their_seed(self, tiny_sd1: Path, tmp_path: Path, capsys: Said) -> None:
        arguments = ["--prompt", "a clock", "--steps", "2", "--seed", "5"]
        assert main(["generate", str(tiny_sd1), *arguments, "--count", "2", "-o", "both"]) == 0
        assert capsys.readouterr().out.split() == ["both/00001.png", "both/00002.png"]
        assert main(["generate", str(tiny_sd1), *arguments[:-1], "6", "-o", "second"]) == 0
        assert Image.open("both/00002.png").tobytes() == Image.open("second/00001.png").tobytes()
        assert Image.open("both/00001.png").tobytes() != Image.open("second/00001.png").tobytes()

    def test_what_is_not_there_is_refused(self, capsys: Said) -> None:
        assert main(["generate", "nothing", "--prompt", "x", "-o", "out"]) == 2
        assert "neither a run in" in capsys.readouterr().err
        assert not Path("out").exists()

    def test_a_run_without_a_state_is_refused(self, home: Path, tiny_sd1: Path, capsys: Said) -> None:
        Run.create(home, with_changes(RunConfig(), {"model.name": "clock", "model.source": str(tiny_sd1)}), "")
        assert main(["generate", "clock", "--prompt", "x", "-o", "out"]) == 2
        assert "no saved state" in capsys.readouterr().err


class TestLists:
    def test_options_as_json_are_the_table(self, capsys: Said) -> None:
        assert main(["options", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert [option["path"] for option in listed] == [option.path for option in option_table()]
        assert all(option["help"] and option["title"] and option["type"] for option in listed)

    @pytest.mark.parametrize("form", [[], ["--markdown"]])
    def test_every_option_is_shown_to_people(self, form: list[str], capsys: Said) -> None:
        assert main(["options", *form]) == 0
        said = capsys.readouterr().out
        assert all(option.name in said for option in option_table())
        assert "[filewords]" in said

    def test_presets_are_the_built_in_and_ones_own(self, tmp_path: Path, capsys: Said) -> None:
        own = tmp_path / "config" / "dbtui" / "presets"
        own.mkdir(parents=True)
        (own / "mine.toml").write_text('title = "Mine \\u001b[31m"\nhelp = "x"\n[batch]\nsize = 2\n')
        assert main(["presets"]) == 0
        said = capsys.readouterr().out
        assert all(name in said for name in ("face", "style", "object", "mine"))
        assert "\x1b[31m" not in said
        assert main(["presets", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[-1]["values"] == {"batch.size": 2}

    @pytest.mark.parametrize("form", [[], ["--json"]])
    def test_a_file_that_is_no_preset_is_told_of_beside_the_others(
        self, tmp_path: Path, form: list[str], pictures: Path, capsys: Said
    ) -> None:
        own = tmp_path / "config" / "dbtui" / "presets"
        own.mkdir(parents=True)
        (own / "bad\x1b[31m.toml").write_text("[batch\n")
        (own / "worse.toml").write_text("[batch]\nsize = 0\n")
        (own / "mine.toml").write_text("[batch]\nsize = 2\n[when.sdxl.lora.lora]\nrank = 3\n")
        assert main(["presets", *form]) == 0
        said = capsys.readouterr()
        assert "mine" in said.out and "bad\\x1b[31m.toml cannot be read" in said.err and "worse.toml" in said.err
        assert "\x1b[31m" not in said.out + said.err
        if form:
            assert json.loads(said.out)[-1]["when"] == {"sdxl.lora": {"lora.rank": 3}}
        else:
            assert "for Stable Diffusion XL with LoRA" in said.out and "mine mine (yours)" in said.out
        assert write_new("--preset", "mine") == 0 and write_new("--preset", "worse", "-o", "x.toml") == 2
        assert "Batch size must be" in capsys.readouterr().err


class TestDoctor:
    @pytest.fixture
    def found(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
        answers: dict[str, dict[str, Any]] = {
            "torch": {"version": "2.13", "threads": 2, "cuda": False, "cuda_build": None},
            "bitsandbytes": {"version": "0.50", "device": "cpu", "works": True},
        }
        monkeypatch.setattr(doctor, "run_probe", lambda name: answers[name])
        monkeypatch.setattr(doctor, "find_spec", lambda name: None)
        monkeypatch.setattr(doctor, "_driver", lambda: "")
        return answers

    def examined(self, capsys: Said) -> dict[str, dict[str, str]]:
        capsys.readouterr()
        main(["doctor", "--json"])
        return {check["subject"]: check for check in json.loads(capsys.readouterr().out)["checks"]}

    def test_a_healthy_computer_is_code_0(self, found: dict[str, Any], capsys: Said) -> None:
        assert main(["doctor"]) == 0
        assert "bitsandbytes" in capsys.readouterr().out

    def test_a_torch_that_does_not_load_is_broken_with_its_mend(self, found: dict[str, Any], capsys: Said) -> None:
        found["torch"] = {"error": "crashed (SIGILL)"}
        assert main(["doctor"]) == 1
        torch = self.examined(capsys)["torch"]
        assert (torch["state"], torch["finding"]) == ("broken", "crashed (SIGILL)")
        assert torch["mend"]

    def test_a_driver_beside_a_torch_for_the_cpu_is_told(
        self, found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        monkeypatch.setattr(doctor, "_driver", lambda: "570.1")
        gpu = self.examined(capsys)["GPU"]
        assert gpu["state"] == "broken"
        assert "built for the CPU" in gpu["finding"]

    def test_a_home_that_cannot_be_written_is_broken(self, found: dict[str, Any], home: Path, capsys: Said) -> None:
        home.write_text("a file stands there")
        assert self.examined(capsys)["Disk"]["state"] == "broken"

    def test_every_failure_has_its_mend(self, found: dict[str, Any], capsys: Said) -> None:
        found["bitsandbytes"] = {"error": "nothing works"}
        checks = self.examined(capsys)
        assert checks["bitsandbytes"]["state"] == "missing"
        assert all(check["mend"] for check in checks.values() if check["state"] == "broken")

    def test_a_library_that_crashes_is_a_finding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probes.sys, "executable", "/bin/false")
        assert probes.run_probe("torch") == {"error": "ended without a word"}

    def test_a_library_that_is_missing_is_a_finding(self) -> None:
        pytest.importorskip("torch")
        assert "error" in probes.run_probe("nonesuch")

    @pytest.mark.parametrize(
        ("answer", "known"),
        [
            (b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c", ["kitty graphics", "sixel"]),
            (b"\x1b_Gi=31;OK\x1b\\\x1b[>1;4000;41c\x1b[?62;c", ["kitty graphics"]),
            (b"\x1b_Gi=31;OK\x1b\\\x1b[>1;4000;26c\x1b[?62;c", []),
            (b"\x1b[?62;4;22c", ["sixel"]),
            (b"\x1b[?1;2c", []),
            (b"\x1b[?64;14c", []),
            (b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?6c", []),
            (b"", []),
        ],
    )
    def test_the_terminals_answer_says_which_pictures_it_shows(self, answer: bytes, known: list[str]) -> None:
        assert protocols_in(answer) == known


def _trained(steps: int, *, time: float = 1000.0) -> list[Any]:
    started = RunStarted(time=time, config_hash="", versions={}, device="CPU", total_steps=10, steps_per_epoch=5)
    return [started] + [
        Step(
            time=time + number, step=number, epoch=1, loss=0.5, instance_loss=0.5, prior_loss=None, rate=1e-6,
            text_encoder_rate=None, gradient_norm=1.0, images_per_second=2.0, memory_bytes=0,
        )
        for number in range(1, steps + 1)
    ]  # fmt: skip
