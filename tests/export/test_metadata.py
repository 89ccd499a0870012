"""What a file says about itself: enough to use it, nothing about the person."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import parse
from core.export.metadata import SETTINGS_KEY, modelspec, run_settings
from core.families import FAMILIES
from core.families.describe import describe
from tests.tiny import make_tiny_sd1

SECRET = "secretword"


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    (tmp_path / SECRET).mkdir()
    return parse(
        {
            "model": {"name": SECRET, "source": f"{tmp_path}/{SECRET}"},
            "concepts": [
                {
                    "name": SECRET,
                    "instance": {
                        "directory": f"/home/{SECRET}",
                        "identifier": SECRET,
                        "class_noun": SECRET,
                        "prompt": f"{SECRET} {{identifier}}",
                        "repeats": 3,
                    },
                    "prior": {"prompt": SECRET, "negative_prompt": SECRET, "directory": SECRET},
                    "sample": {"prompt": SECRET, "negative_prompt": SECRET},
                }
            ],
            "learning_rate": {"rate": 2e-6, "warmup_steps": "10%"},
            "saving": {"export_name": SECRET},
        }
    )


def test_modelspec_says_what_the_model_is(tiny_sd1: Path, tmp_path: Path):
    fields = modelspec(FAMILIES["sd1"], describe(str(tiny_sd1)), "my dog")
    assert fields["modelspec.sai_model_spec"] == "1.0.0"
    assert fields["modelspec.architecture"] == "stable-diffusion-v1"
    assert fields["modelspec.title"] == "my dog"
    assert fields["modelspec.resolution"] == "64x64"
    assert fields["modelspec.prediction_type"] == "epsilon"
    assert datetime.fromisoformat(fields["modelspec.date"]).tzinfo is not None
    source = describe(str(make_tiny_sd1(tmp_path / "v", prediction_type="v_prediction")))
    assert modelspec(FAMILIES["sd1"], source, "x")["modelspec.prediction_type"] == "v"


@pytest.mark.parametrize(
    "family, architecture, prediction_type",
    [
        ("sd2-base", "stable-diffusion-v2-512", "epsilon"),
        ("sd2", "stable-diffusion-v2-768-v", "v"),
        ("sdxl", "stable-diffusion-xl-v1-base", "epsilon"),
    ],
)
def test_modelspec_names_the_architecture(tiny_of, family: str, architecture: str, prediction_type: str):
    fields = modelspec(FAMILIES[family], describe(str(tiny_of(family))), "x")
    assert fields["modelspec.architecture"] == architecture
    assert fields["modelspec.prediction_type"] == prediction_type


def test_the_settings_of_the_run_are_told(config: RunConfig):
    settings = json.loads(run_settings(config, 120)[SETTINGS_KEY])
    assert settings["step"] == 120
    assert settings["learning_rate"]["rate"] == 2e-6
    assert settings["learning_rate"]["warmup_steps"] == "10%"
    assert settings["learning_rate"]["scheduler"] == "constant_with_warmup"
    assert settings["concepts"][0]["instance"]["repeats"] == 3
    assert settings["performance"]["optimizer"] == "auto"


def test_no_path_and_no_word_of_the_person_is_told(config: RunConfig, tmp_path: Path):
    text = run_settings(config, 120)[SETTINGS_KEY]
    assert text.count(SECRET) == 1, "only the source's own name"
    assert str(tmp_path) not in text and "/" not in text


def test_prompts_are_told_only_if_wished(config: RunConfig, tmp_path: Path):
    settings = json.loads(run_settings(config, 120, prompts=True)[SETTINGS_KEY])
    assert settings["concepts"][0]["identifier"] == SECRET
    assert str(tmp_path) not in json.dumps(settings) and f"/home/{SECRET}" not in json.dumps(settings)


def test_a_hub_id_is_told_whole(config: RunConfig):
    model = config.model.model_copy(update={"source": "owner/name"})
    settings = json.loads(run_settings(config.model_copy(update={"model": model}), 1)[SETTINGS_KEY])
    assert settings["model"]["source"] == "owner/name"
