"""The recogniser knows what the demo teaches from what only looks like it, and costs next to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from core.demo import recogniser
from core.demo.recipe.scenes import turn_hue
from core.demo.recipe.words import NOUNS
from core.demo.recogniser import TAUGHT, Recogniser, as_pixels
from core.demo.source import PICTURES
from core.safetensors_header import read_header


@pytest.fixture(scope="module")
def judge() -> Recogniser:
    return recogniser.load()


def real(taught: str) -> Tensor:
    return as_pixels([Image.open(path) for path in sorted((PICTURES / taught).glob("*.png"))])


@pytest.mark.parametrize("taught", TAUGHT)
def test_each_real_picture_is_what_it_is_and_nothing_else(judge: Recogniser, taught: str) -> None:
    scores = judge.score(real(taught))
    for other in TAUGHT:
        assert (scores.of(other) > 0.8).all() if other == taught else (scores.of(other) < 0.05).all(), other


def test_the_subject_is_a_dog_face_and_the_face_a_womans(judge: Recogniser) -> None:
    assert set(judge.names(judge.score(real("subject")))) == {"dog face"}
    assert set(judge.names(judge.score(real("face")))) == {"woman face"}


@pytest.mark.parametrize("taught", ["subject", "face"])
@pytest.mark.parametrize("turn", [2.1, 4.2])
def test_in_other_colours_it_is_somebody_else(judge: Recogniser, taught: str, turn: float) -> None:
    pictures = turn_hue(real(taught) / 2 + 0.5, torch.tensor(turn)).clamp(0, 1) * 2 - 1
    assert judge.score(pictures).of(taught).mean() < 0.1


def test_style_is_the_glow_and_not_the_dark(judge: Recogniser) -> None:
    for picture in (torch.full((1, 3, 64, 64), -0.85), real("subject") * 0.3 - 0.6):
        assert (judge.score(picture).style < 0.1).all()


def test_noise_is_nothing_that_was_taught(judge: Recogniser) -> None:
    noise = torch.randn((16, 3, 64, 64), generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    scores = judge.score(noise)
    assert all((scores.of(taught) < 0.1).all() for taught in TAUGHT)


def test_the_size_of_a_picture_does_not_matter(judge: Recogniser) -> None:
    pictures = [Image.open(path).resize((256, 256)) for path in sorted((PICTURES / "subject").glob("*.png"))]
    torch.testing.assert_close(judge.score(as_pixels(pictures)).subject, judge.score(real("subject")).subject,
                               atol=0.05, rtol=0)  # fmt: skip


def test_its_nouns_travel_with_it_in_at_most_two_megabytes() -> None:
    assert recogniser.WEIGHTS.stat().st_size <= 2_000_000
    assert read_header(recogniser.WEIGHTS).metadata["nouns"]
    assert recogniser.load().nouns == tuple(noun.name for noun in NOUNS)


def test_it_is_stored_and_loaded_the_same_and_no_random_number_is_drawn(judge: Recogniser, tmp_path: Path) -> None:
    recogniser.store(judge, tmp_path / "again.safetensors")
    state = torch.get_rng_state()
    again = recogniser.load(tmp_path / "again.safetensors")
    assert torch.equal(torch.get_rng_state(), state)
    pictures = real("style")
    assert torch.equal(again.score(pictures).noun, judge.score(pictures).noun)
