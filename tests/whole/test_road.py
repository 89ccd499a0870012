"""The road of the README through the real commands: check, train, runs, generate, export, delete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.config.runfile import to_toml
from dbtui.__main__ import main
from tests.training.runs import draw_pictures, quick_config

Said = pytest.CaptureFixture[str]


@pytest.mark.parametrize("text_encoder_ratio", [0.0, 1.0])
def test_from_a_run_file_to_pictures_and_files(
    tmp_path: Path, tiny_sd1: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, text_encoder_ratio: float
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "500")
    config = quick_config(
        tiny_sd1,
        draw_pictures(tmp_path / "pictures", 3),
        model__name="clock",
        performance__text_encoder_ratio=text_encoder_ratio,
        saving__export_when_done=True,
    )
    Path("run.toml").write_text(to_toml(config))
    run = tmp_path / "home" / "runs" / "clock"

    assert main(["train", "clock"]) == 2
    assert "dbtui train run.toml" in capsys.readouterr().err
    assert main(["check", "run.toml", "--set", "batch.size=2"]) == 2
    assert main(["check", "run.toml"]) == 0
    assert main(["train", "run.toml"]) == 0
    assert str(run / "export") in capsys.readouterr().err
    assert main(["runs", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["state"], found["step"]) == ("clock", "done", 6)

    sources = ("clock", str(run / "export" / "clock.safetensors"), str(tiny_sd1))
    for source in sources:
        again = ["generate", source, "--prompt", "a sks dog", "--steps", "2", "--seed", "1", "-o", "out"]
        assert main(again) == 0, capsys.readouterr().err
    pictures = [path.read_bytes() for path in sorted(Path("out").glob("*.png"))]
    assert len(pictures) == len(sources)
    assert main(["export", "clock", "--format", "ckpt", "-o", "clock.ckpt"]) == 0
    assert main(["export", "clock", "--format", "diffusers"]) == 0
    capsys.readouterr()
    assert main(["delete", "clock", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "clock.safetensors" in said and "clock-step-000006" in said, "every export that is lost is named"
    assert not run.exists() and Path("clock.ckpt").exists()
