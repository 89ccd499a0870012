"""Every family, whole and as LoRA, from a folder and from a single file: the real commands from check to an export
that diffusers loads and that gives the run's own preview.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image

from core.config.runfile import to_toml
from core.events import Checkpoint, RunStarted, Sample, Step
from core.families import FAMILIES
from core.runs.journal import read_journal
from dbtui.__main__ import main
from tests.training.runs import draw_pictures, quick_config

TinyOf = Callable[[str], Path]
SIDE = 32


def single_file(source: Path, folder: Path) -> Path:
    """The source as one file of the original layout, made by the program's own export."""
    from core.families.describe import describe
    from core.families.load import load_model
    from tests.families.conftest import export

    return export(load_model(describe(str(source)), device="cpu"), folder / "source.safetensors")


def picture_of(pipeline: Any) -> numpy.ndarray:
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, algorithm_type="dpmsolver++", solver_order=2
    )
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline("a sks dog", num_inference_steps=2, guidance_scale=7.5, height=SIDE, width=SIDE,
                     generator=torch.Generator().manual_seed(5)).images[0]  # fmt: skip
    return numpy.asarray(image).astype(int)


def loaded(family: str, method: str, exported: Path, folder: Path) -> Any:
    """The export in diffusers: a single file by itself, LoRA on the source."""
    if method == "lora":
        pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
        pipeline.load_lora_weights(exported)
        return pipeline
    kind = StableDiffusionXLPipeline if family == "sdxl" else StableDiffusionPipeline
    return kind.from_single_file(str(exported), config=str(folder), local_files_only=True)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "method", "kind"), list(product(FAMILIES, ("full", "lora"), ("folder", "file"))))
def test_four_steps_with_previews_states_and_a_resume_end_in_an_export_that_others_load(
    tmp_path: Path, tiny_of: TinyOf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], family: str,
    method: str, kind: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path / "home"))
    folder = tiny_of(family)
    source = folder if kind == "folder" else single_file(folder, tmp_path)
    config = quick_config(
        source, draw_pictures(tmp_path / "pictures", 2), model__name="road", intervals__epochs=1,
        intervals__save_every_steps=1, intervals__sample_every_steps=2, concepts__0__prior__images_per_instance=1,
        performance__text_encoder_ratio=1.0, saving__export_when_done=True, saving__half=False,
        lora__enabled=method == "lora", learning_rate__rate=1e-2 if method == "lora" else 1e-3,
    )  # fmt: skip
    Path("run.toml").write_text(to_toml(config))

    assert main(["check", "run.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["steps"] == 2
    assert main(["train", "run.toml"]) == 0, capsys.readouterr().err
    assert main(["train", "road", "--resume", "--set", "intervals.epochs=2"]) == 0, capsys.readouterr().err

    run = tmp_path / "home" / "runs" / "road"
    events = read_journal(run / "journal.jsonl")
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2, 3, 4]
    assert [event.resumed_from for event in events if isinstance(event, RunStarted)] == [None, 2]
    assert {event.step for event in events if isinstance(event, Checkpoint)} == {1, 2, 3, 4}
    previews = [event for event in events if isinstance(event, Sample)]
    assert [event.step for event in previews] == [2, 4]

    (exported,) = (run / "export").glob("*4*.safetensors") if (run / "export").is_dir() else ()
    shown = numpy.asarray(Image.open(run / previews[-1].path)).astype(int)
    again = picture_of(loaded(family, method, exported, folder))
    assert numpy.abs(again - shown).max() <= 2, "to rounding of 8 bits"
    assert numpy.abs(picture_of(DiffusionPipeline.from_pretrained(folder, local_files_only=True)) - shown).max() > 4
