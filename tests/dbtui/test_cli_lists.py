"""`dbtui options`, `presets`, `doctor` and `generate`: what they list, find and draw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.table import option_table
from core.demo.source import MODEL
from core.runs.folder import Run
from dbtui import probes
from dbtui.__main__ import main
from dbtui.commands import doctor
from dbtui.commands.terminal_probe import protocols_in
from tests.dbtui.conftest import Said, write_new

pytestmark = pytest.mark.usefixtures("home")


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

    @pytest.mark.parametrize(
        ("target", "said"),
        [("demo", "Loading the run demo ("), (str(MODEL), "Loading the small model that comes with the program …")],
    )
    def test_which_of_two_is_meant_is_said(
        self, target: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        def stop(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        Run.create(home, with_changes(RunConfig(), {"model.name": "demo", "model.source": "demo"}), "")
        monkeypatch.setattr("core.families.load.load_model", stop)
        monkeypatch.setattr("dbtui.commands.generate._newest_state", lambda run: run.path)
        assert main(["generate", target, "--prompt", "x", "-o", "out"]) == 3
        assert said in capsys.readouterr().err

    def test_the_small_model_is_meant_by_its_name_where_no_run_has_it(
        self, monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        monkeypatch.setattr("core.families.load.load_model", lambda *_, **__: 1 / 0)
        assert main(["generate", "demo", "--prompt", "x", "-o", "out"]) == 1
        assert "Loading the small model" in capsys.readouterr().err

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

    def test_no_line_of_the_options_begins_at_the_edge_but_the_sections(
        self, monkeypatch: pytest.MonkeyPatch, spoken: str, capsys: Said
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("DBTUI_LANGUAGE", spoken)
        assert main(["options"]) == 0
        sections = {option.section for option in option_table()}
        at_the_edge = {line.rstrip() for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")}
        assert at_the_edge - {""} <= sections

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
