"""`demo` is a source like any other, wherever a source stands, and its place on this machine is written nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.runfile import to_toml
from core.config.settle import absolute_paths
from core.demo.source import MODEL, PICTURES
from core.families.describe import describe
from core.planning.checks import check
from core.planning.survey import survey
from core.safetensors_header import read_header
from core.texts import UserError
from dbtui.__main__ import main
from tests.training.runs import draw_pictures, quick_config

Said = pytest.CaptureFixture[str]


@pytest.fixture
def beside_a_folder_called_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "demo"


def test_demo_is_the_embedded_model_though_a_folder_is_called_so(
    stand_in: Path, beside_a_folder_called_demo: Path
) -> None:
    found = describe("demo")
    assert (found.source, found.path, found.kind) == ("demo", stand_in, "folder")
    with pytest.raises(UserError, match="model_index"):
        describe("./demo")
    config = with_changes(RunConfig(), {"model.source": "demo"})
    assert absolute_paths(config).model.source == "demo"
    mine = with_changes(RunConfig(), {"model.source": "./demo"})
    assert absolute_paths(mine).model.source == str(beside_a_folder_called_demo)


def test_the_checks_know_that_it_is_on_this_computer(stand_in: Path, tmp_path: Path) -> None:
    config = with_changes(RunConfig(), {"model.source": "demo", "model.revision": "main"})
    findings = {finding.field: finding.code for finding in check(config, survey(config, tmp_path, decode=False))}
    assert findings["model.revision"] == "source.revision-unused"
    assert "model.source" not in findings


def test_who_names_no_source_is_offered_it(tmp_path: Path) -> None:
    findings = check(RunConfig(), survey(RunConfig(), tmp_path, decode=False))
    (missing,) = (finding for finding in findings if finding.code == "source.none")
    assert [dict(fix.changes) for fix in missing.fixes] == [{"model.source": "demo"}]


def test_an_installation_without_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.demo.source.MODEL", tmp_path / "model")
    with pytest.raises(UserError, match="missing from this installation") as refused:
        describe("demo")
    assert refused.value.code == "source.no-demo" and "./demo" in refused.value.message.advice


def test_it_trains_resumes_exports_and_draws_and_no_path_of_this_machine_goes_out(
    stand_in: Path, beside_a_folder_called_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    config = quick_config(
        Path("demo"), draw_pictures(tmp_path / "pictures", 2), model__name="toy", saving__export_when_done=True
    )
    assert config.model.source == "demo"
    Path("run.toml").write_text(to_toml(config))
    run = tmp_path / "home" / "runs" / "toy"
    assert main(["check", "run.toml"]) == 0
    assert main(["train", "run.toml"]) == 0
    assert main(["train", "toy", "--resume", "--set", "intervals.epochs=3"]) == 0
    assert main(["export", "toy", "--format", "safetensors", "-o", "toy.safetensors"]) == 0
    metadata = read_header(tmp_path / "toy.safetensors").metadata
    assert json.loads(metadata["dbtui.settings"])["model"]["source"] == "demo"
    assert str(stand_in.parent) not in json.dumps(metadata)
    assert str(stand_in.parent) not in (run / "run.toml").read_text()
    capsys.readouterr()
    assert main(["generate", "demo", "--prompt", "a red apple", "--steps", "2", "-o", "out"]) == 0
    said = capsys.readouterr()
    assert Path(said.out.strip()).is_file() and str(stand_in) not in said.out + said.err


def test_a_run_that_is_called_demo_goes_before_the_embedded_model(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    config = quick_config(Path("demo"), draw_pictures(tmp_path / "pictures", 2), model__name="demo")
    Path("run.toml").write_text(to_toml(config))
    drawing = ["generate", "demo", "--prompt", "a dog", "--steps", "2", "--seed", "1", "-o", "out"]
    assert main(drawing) == 0
    assert main(["train", "run.toml"]) == 0
    assert main(drawing) == 0
    before, after = (path.read_bytes() for path in sorted(Path("out").glob("*.png")))
    assert before != after


def test_nothing_that_runs_imports_the_recipe() -> None:
    program = (
        "import sys; from pathlib import Path; from core.families.describe import describe\n"
        "import core.training.trainer, core.sampling.generate, core.export.run, core.runs.launch\n"
        "import dbtui.app, dbtui.cli, dbtui.commands.generate, dbtui.commands.train, dbtui.wizard.flow\n"
        "print([name for name in sys.modules if name.startswith('core.demo.recipe')])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.skipif(not MODEL.is_dir(), reason="the embedded model is not in this checkout")
def test_the_embedded_model_is_small_and_draws_64_pixels() -> None:
    found = describe("demo")
    assert (found.native_resolution, found.latent_factor, found.family) == (64, 4, "sd1")
    assert found.bytes <= 30_000_000
    assert found.tokenizers == {}, "the vocabulary that ships with the package serves it"


def test_every_group_of_pictures_is_whole_and_nothing_in_it_is_refused() -> None:
    from core.data.scan import scan

    for group, least in (("subject", 6), ("face", 6), ("style", 8)):
        found = scan(PICTURES / group, decode=True)
        assert len(found.pictures) >= least and not found.refused, group
        assert {(picture.width, picture.height) for picture in found.pictures} == {(128, 128)}
