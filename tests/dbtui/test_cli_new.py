"""`dbtui new` and `dbtui check`: a file is written, and what is wrong with it is said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config.presets import built_in_presets
from core.config.runfile import made_from, read
from dbtui.__main__ import main
from tests.dbtui.conftest import Said, write_new

pytestmark = pytest.mark.usefixtures("home")


class TestNew:
    def test_writes_what_was_said_over_the_preset(self, pictures: Path) -> None:
        assert write_new("--set", "batch.size=2", "--set", "concepts.0.sample.count=4", "-o", "my.toml") == 0
        config = read(Path("my.toml"))
        concept = config.concepts[0]
        assert (config.model.name, config.batch.size, concept.sample.count) == ("clock", 2, 4)
        assert (concept.instance.identifier, concept.instance.class_noun) == ("ohwx", "alarm clock")
        assert concept.prior.images_per_instance == 5
        assert concept.instance.directory == str(pictures)
        assert made_from(Path("my.toml")) == "face"

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

    def test_a_source_that_is_not_there_is_said_to_be_and_whose_numbers_it_gets(
        self, pictures: Path, capsys: Said
    ) -> None:
        assert write_new("--set", "model.source=/no/such.safetensors") == 0
        said = capsys.readouterr().err
        assert "Note: The source model /no/such.safetensors cannot be found: there is no such file or folder." in said
        assert "For now the numbers are those for Stable Diffusion 1" in said
        assert write_new("--set", "model.source=/no/such.safetensors", "--preset", "object", "-o", "object.toml") == 0
        assert "/no/such.safetensors cannot be found" in capsys.readouterr().err

    def test_pictures_that_are_not_there_are_said_not_to_be(self, pictures: Path, capsys: Said) -> None:
        assert write_new("--set", "model.source=demo", "--set", "concepts.0.instance.directory=nowhere") == 0
        assert "nowhere does not exist. Check how it is spelled." in capsys.readouterr().err

    def test_a_source_that_is_not_downloaded_yet_is_said_to_be(self, pictures: Path, capsys: Said) -> None:
        hub = "model.source=somebody/else"
        assert write_new("--set", hub) == 0
        said = capsys.readouterr().err
        assert "somebody/else is neither a file or folder here nor downloaded from the hub yet." in said
        assert "For now the numbers are those for Stable Diffusion 1" in said
        assert read(Path("run.toml")).performance.text_encoder_ratio == 0.7
        assert write_new("--set", hub, "--set", "model.family=sdxl", "-o", "xl.toml") == 0
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
        assert "600 = 100 epochs of 6 steps" in said
        assert "30, 30 of them to be made" in said

    @pytest.mark.parametrize("columns", [40, 80])
    def test_a_fix_is_one_piece_to_be_copied(
        self, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, columns: int
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["check", "run.toml", "--set", "concepts.0.instance.prompt=a {foo} on the moon, at night"]) == 2
        said = capsys.readouterr().out
        assert re.search(r"`--set 'concepts\.0\.instance\.prompt=.*night.*'`\n", said)

    def test_the_plan_has_the_rows_of_review(self, capsys: Said) -> None:
        assert main(["check", "run.toml"]) == 0
        titles = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
        assert {"Steps", "Text encoder", "Saves", "Previews", "Time", "Disk", "Memory"} <= set(titles)

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
