"""Every family goes the whole road: trained, previewed, stopped, resumed, exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image

from core.events import Event, Export, RunStarted, Sample, Step, Validation
from core.families import FAMILIES
from core.families.describe import describe
from core.families.load import load_model
from core.tensors import digest, read_tensors
from core.training.checkpoints import list_checkpoints, read_state
from tests.families.conftest import export
from tests.training.runs import final_weights, quick_config, ready_trainer, run_to_end
from tests.training.test_resuming import killed_after, losses

TinyOf = Callable[[str], Path]
LATER = [family for family in FAMILIES if family != "sd1"]
STEPS = {
    "intervals__epochs": 2,
    "intervals__save_every_steps": 1,
    "intervals__sample_every_steps": 4,
    "intervals__validate_every_steps": 4,
    "concepts__0__prior__images_per_instance": 1,
    "saving__export_when_done": True,
    "saving__half": False,
}
"""Four steps on two pictures, the text encoders stopped after two."""


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two pictures, not square and of two sizes."""
    directory = tmp_path / "two"
    directory.mkdir()
    for number, size in enumerate(((70, 48), (40, 90))):
        pixels = torch.randint(255, (size[1], size[0], 3), generator=torch.Generator().manual_seed(number))
        Image.fromarray(pixels.to(torch.uint8).numpy()).save(directory / f"{number}.png")
    return directory


@pytest.mark.parametrize("family", LATER)
def test_four_steps_a_kill_a_resume_and_an_export(family: str, tiny_of: TinyOf, two: Path, tmp_path: Path) -> None:
    single = export(load_model(describe(str(tiny_of(family))), device="cpu"), tmp_path / "source.safetensors")
    config = quick_config(single, two, **STEPS)
    events = run_to_end(config, tmp_path / "whole")
    assert [event.step for event in of(Step, events)] == [1, 2, 3, 4]
    assert all(event.loss is not None and event.prior_loss is not None for event in of(Step, events))
    assert [event.text_encoder_rate is not None for event in of(Step, events)] == [True, True, False, False]
    assert of(Validation, events)[-1].prior is not None
    assert [Image.open(tmp_path / "whole" / event.path).size for event in of(Sample, events)] == [(32, 32)]

    folder = tmp_path / "killed"
    killed_after(config, folder, 1)
    resumed = run_to_end(config, folder, resume=True)
    assert of(RunStarted, resumed)[0].resumed_from is not None and of(RunStarted, resumed)[0].exact
    assert losses(resumed).items() <= losses(events).items()
    assert final_weights(folder) == final_weights(tmp_path / "whole")

    exported = load_model(describe(str(folder / of(Export, resumed)[0].path)), device="cpu")
    assert exported.family.id == family
    source = load_model(describe(str(single)), device="cpu")
    for name, network in exported.networks.items():
        before = source.networks[name].state_dict()
        changed = any(not torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
        assert changed == (name != "vae"), name


def test_both_encoders_of_sdxl_are_in_a_state_and_stop_together(tiny_of: TinyOf, two: Path, tmp_path: Path) -> None:
    config = quick_config(tiny_of("sdxl"), two, intervals__save_every_steps=1, saving__keep_checkpoints=9)
    run_to_end(config, tmp_path / "run")
    states = dict(list_checkpoints(tmp_path / "run" / "checkpoints"))
    assert {file.stem for file in states[4].glob("*.safetensors")} == {
        "unet", "text_encoder", "text_encoder_2", "optimizer",
    }  # fmt: skip
    assert [read_state(states[step]).text_encoder_stopped for step in (1, 4)] == [False, True]
    for encoder in ("text_encoder", "text_encoder_2"):
        first, second, fourth = (digest(read_tensors(states[step] / f"{encoder}.safetensors")) for step in (1, 2, 4))
        assert first != second == fourth


def test_each_picture_s_own_geometry_goes_with_it_class_pictures_too(
    tiny_of: TinyOf, two: Path, tmp_path: Path
) -> None:
    config = quick_config(tiny_of("sdxl"), two, batch__size=2, concepts__0__prior__images_per_instance=1)
    trainer = ready_trainer(config, tmp_path / "run")
    told: list[torch.Tensor] = []
    conditioning = trainer._model.conditioning

    def listen(embedding: Any, geometry: torch.Tensor) -> dict[str, Any]:
        told.append(geometry)
        return conditioning(embedding, geometry)

    trainer._model.conditioning = listen  # type: ignore[method-assign]
    next(event for event in trainer._train(trainer._saving) if isinstance(event, Step))  # type: ignore[arg-type]
    geometry = told[-1]
    assert geometry.dtype == torch.float32
    # 70 × 48 becomes 47 × 32 px, of which 7 stand left of the square; 40 × 90 becomes 32 × 72, of which 20 above it.
    assert sorted(geometry[:2].tolist()) == [[48, 70, 0, 7, 32, 32], [90, 40, 20, 0, 32, 32]]
    assert geometry[2:].tolist() == [[32, 32, 0, 0, 32, 32]] * 2


@pytest.mark.parametrize("family", LATER)
def test_a_preview_is_the_picture_that_diffusers_makes_of_the_export(
    family: str, tiny_of: TinyOf, two: Path, tmp_path: Path
) -> None:
    """To what fp32 rounding in another order of operations does to 8 bits of colour."""
    config = quick_config(
        tiny_of(family), two, **STEPS | {"saving__export_format": "diffusers"}, concepts__0__sample__steps=3,
        concepts__0__sample__negative_prompt="blurry",
    )  # fmt: skip
    folder = tmp_path / "run"
    events = run_to_end(config, folder)
    kind = StableDiffusionXLPipeline if family == "sdxl" else StableDiffusionPipeline
    pipeline = kind.from_pretrained(folder / of(Export, events)[0].path, local_files_only=True)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, algorithm_type="dpmsolver++", solver_order=2
    )
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(
        "a sks dog", negative_prompt="blurry", num_inference_steps=3, guidance_scale=7.5, height=32, width=32,
        generator=torch.Generator().manual_seed(5),
    ).images[0]  # fmt: skip
    ours = Image.open(folder / of(Sample, events)[-1].path)
    difference = numpy.asarray(made, dtype=int) - numpy.asarray(ours, dtype=int)
    assert abs(difference).max() <= 2
