"""Previews of the embedded model say what they show; nobody judges those of another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.demo import recogniser
from core.demo.source import PICTURES
from core.events import Sample, encode
from tests.training.runs import quick_config, run_to_end


@pytest.fixture
def stand_in(tiny_sd1: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`demo` means the tiny random model."""
    monkeypatch.setattr("core.demo.source.MODEL", tiny_sd1)
    return tiny_sd1


def previews(source: str, pictures: Path, folder: Path) -> list[Sample]:
    config = quick_config(Path(source), pictures, intervals__max_steps=1, intervals__sample_every_steps=1,
                          model__resolution=64, batch__incomplete="wrap")  # fmt: skip
    return [event for event in run_to_end(config, folder) if isinstance(event, Sample)]


def test_a_preview_of_the_demo_tells_the_noun_and_how_much_it_is_the_subject(stand_in: Path, tmp_path: Path) -> None:
    (told,) = previews("demo", PICTURES / "subject", tmp_path / "run")
    assert told.noun in recogniser.load().nouns
    assert told.likeness is not None and told.likeness < 0.5, "a random network draws no dog"
    assert json.loads(encode(told)).items() >= {"noun": told.noun, "likeness": told.likeness}.items()


def test_of_pictures_of_ones_own_it_tells_the_noun_alone(stand_in: Path, pictures: Path, tmp_path: Path) -> None:
    (told,) = previews("demo", pictures, tmp_path / "run")
    assert told.noun and told.likeness is None


def test_no_other_model_is_judged(tiny_sd1: Path, tmp_path: Path) -> None:
    (told,) = previews(str(tiny_sd1), PICTURES / "subject", tmp_path / "run")
    assert told.noun == "" and told.likeness is None
