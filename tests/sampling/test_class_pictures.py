from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from PIL import Image

from core.families.describe import describe
from core.families.load import load_model
from core.families.model import Model
from core.sampling.class_pictures import ClassPictures, generated_in
from core.sampling.denoising import SamplingSettings
from core.training.precision import autocast


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def model(tiny_sd1: Path) -> Model:
    return load_model(describe(str(tiny_sd1)), device="cpu")


def wanted(directory: Path, *, count: int = 5, batch_size: int = 2) -> ClassPictures:
    return ClassPictures(directory, count, "a dog", "", SamplingSettings(7.5, 2, 32), batch_size, 7, "dog")


def make(pictures: ClassPictures, model: Model, *, die_after: int = 1000) -> int:
    calls = iter(range(10_000))

    def on_step() -> None:
        if next(calls) >= die_after:
            raise Killed

    return sum(pictures.generate(model, autocast=autocast("no", torch.device("cpu")), on_step=on_step))


def hashes(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def test_only_the_missing_pictures_are_made(tmp_path: Path, model: Model) -> None:
    assert make(wanted(tmp_path / "a"), model) == 5
    before = hashes(tmp_path / "a")
    (tmp_path / "a" / "class-00003.png").unlink()
    assert make(wanted(tmp_path / "a"), model) == 1
    assert hashes(tmp_path / "a") == before
    assert make(wanted(tmp_path / "a"), model) == 0


def test_a_killed_run_makes_the_same_pictures_as_an_undisturbed_one(tmp_path: Path, model: Model) -> None:
    make(wanted(tmp_path / "whole"), model)
    for die_after in (0, 1, 3, 4):
        folder = tmp_path / f"killed-{die_after}"
        with pytest.raises(Killed):
            make(wanted(folder), model, die_after=die_after)
        make(wanted(folder), model)
        assert hashes(folder) == hashes(tmp_path / "whole")


def test_each_picture_has_its_own_seed_prompt_and_caption_file(tmp_path: Path, model: Model) -> None:
    make(wanted(tmp_path / "a"), model)
    pictures = generated_in(tmp_path / "a")
    assert len({Image.open(path).tobytes() for path in pictures}) == 5
    assert all(path.with_suffix(".txt").read_text() == "a dog" for path in pictures)
    texts = [Image.open(path).info["parameters"] for path in pictures]
    assert all(text.startswith("a dog\n") for text in texts)
    assert len({text.split("Seed: ")[1].split(",")[0] for text in texts}) == 5
