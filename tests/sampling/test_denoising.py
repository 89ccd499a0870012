from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from core.families.describe import describe
from core.families.load import load_model
from core.families.model import Model
from core.sampling.denoising import SamplingSettings, denoise, initial_noise, prompt_embedding, to_pictures
from core.training.precision import autocast
from tests.tiny import make_tiny_sd1, read_pipeline

PLAIN = autocast("no", torch.device("cpu"))


def picture(model: Model, seed: int, settings: SamplingSettings) -> numpy.ndarray:
    noise = initial_noise(model, [seed], settings.size)
    positive, negative = prompt_embedding(model, "a sks dog"), prompt_embedding(model, "blurry")
    latents = denoise(model, positive, negative, noise, settings, autocast=PLAIN, on_step=lambda: None)
    return numpy.asarray(to_pictures(model, latents)[0])


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("guidance", [1.0, 7.5])
def test_a_picture_is_the_one_that_diffusers_makes_of_the_same_prompt_and_seed(
    tmp_path: Path, prediction_type: str, guidance: float
) -> None:
    source = make_tiny_sd1(tmp_path / "source", prediction_type=prediction_type)
    pipeline = read_pipeline(source)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        "a sks dog",
        negative_prompt="blurry",
        num_inference_steps=5,
        guidance_scale=guidance,
        height=64,
        width=64,
        generator=torch.Generator().manual_seed(3),
    ).images[0]
    model = load_model(describe(str(source)), device="cpu")
    ours = picture(model, 3, SamplingSettings(guidance, 5, 64))
    difference = numpy.abs(ours.astype(int) - numpy.asarray(expected).astype(int))
    assert difference.max() <= 1, "to rounding of 8 bits"


def test_the_seed_decides_the_picture(tiny_sd1: Path) -> None:
    model = load_model(describe(str(tiny_sd1)), device="cpu")
    settings = SamplingSettings(7.5, 3, 64)
    assert (picture(model, 1, settings) == picture(model, 1, settings)).all()
    assert (picture(model, 1, settings) != picture(model, 2, settings)).any()


def test_each_denoising_step_may_abandon_the_work(tiny_sd1: Path) -> None:
    model = load_model(describe(str(tiny_sd1)), device="cpu")
    calls = iter(range(100))

    def third_time() -> None:
        if next(calls) == 2:
            raise InterruptedError

    embedding = prompt_embedding(model, "a dog")
    with pytest.raises(InterruptedError):
        denoise(model, embedding, embedding, initial_noise(model, [1], 64), SamplingSettings(7.5, 9, 64),
                autocast=PLAIN, on_step=third_time)  # fmt: skip
    assert next(calls) == 3
