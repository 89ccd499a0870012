"""From a run's saved states to a model in hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from core.config import runfile
from core.config.options import RunConfig
from core.config.parsing import parse
from core.config.runfile import to_toml
from core.export.run import export_run, export_trained
from core.export.there import exported_already
from core.families.describe import describe
from core.families.keys import classic_names
from core.families.load import load_model
from core.families.model import Model
from core.files import DamagedFiles, staged_directory
from core.tensors import write_tensors
from core.texts import UserError


def config_of(source: Path, **saving: object) -> RunConfig:
    return parse({"model": {"name": "dog", "source": str(source)}, "saving": {"half": False, **saving}})


@pytest.fixture
def trained(tiny_sd1: Path) -> Model:
    """The tiny model with another UNet and text encoder."""
    model = load_model(describe(str(tiny_sd1)), device="cpu")
    with torch.no_grad():
        for parameter in (*model.unet.parameters(), *model.text_encoders["text_encoder"].parameters()):
            parameter.add_(0.5)
    return model


@pytest.fixture
def run(tiny_sd1: Path, trained: Model, tmp_path: Path) -> Path:
    """A run's folder with two states: at step 10 only the UNet was trained, at step 20 the text encoder too."""
    folder = tmp_path / "dog"
    folder.mkdir()
    (folder / "run.toml").write_text(to_toml(config_of(tiny_sd1)))
    for step, components in ((10, ["unet"]), (20, ["unet", "text_encoder"])):
        with staged_directory(folder / "checkpoints" / f"step-{step:06d}", {"step": step}) as staging:
            for name in components:
                tensors = classic_names(name, trained.networks[name].state_dict())
                write_tensors(staging / f"{name}.safetensors", tensors, {})
    return folder


def loaded(path: Path) -> Model:
    return load_model(describe(str(path)), device="cpu")


def same(first: Model, second: Model, component: str) -> bool:
    ours, theirs = (model.networks[component].state_dict() for model in (first, second))
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_newest_state_is_exported_with_the_rest_from_the_source(run: Path, trained: Model, tiny_sd1: Path):
    event = export_run(run)
    assert event.path == "export/dog-step-000020.safetensors"
    assert event.bytes == (run / event.path).stat().st_size
    exported = loaded(run / event.path)
    assert all(same(exported, trained, name) for name in ("unet", "vae", "text_encoder"))


def test_what_a_state_did_not_train_comes_from_the_source(run: Path, trained: Model, tiny_sd1: Path):
    exported = loaded(run / export_run(run, step=10).path)
    assert same(exported, trained, "unet")
    assert same(exported, loaded(tiny_sd1), "text_encoder")


def test_an_export_of_the_run_and_of_the_trained_model_are_the_same(run: Path, trained: Model, tiny_sd1: Path):
    event = export_trained(trained, {}, config_of(tiny_sd1), run, name="dog", step=20)
    assert event.path == "export/dog.safetensors"
    with safe_open(run / event.path, "pt") as one, safe_open(run / export_run(run).path, "pt") as two:
        assert one.metadata()["modelspec.hash_sha256"] == two.metadata()["modelspec.hash_sha256"]
        assert one.metadata()["modelspec.title"] == "dog"


def test_a_state_that_was_exported_at_the_end_is_known_again_and_no_other_one(
    run: Path, trained: Model, tiny_sd1: Path
) -> None:
    config = runfile.read(run / "run.toml")

    def there(**more: Any) -> Path | None:
        return exported_already(run / "export", config, **{"step": 20, "format": "safetensors", "half": False, **more})

    assert there() is None
    event = export_trained(trained, {}, config, run, name="dog", step=20)
    assert there() == run / event.path
    others: list[dict[str, Any]] = [{"step": 10}, {"half": True}, {"format": "ckpt"}, {"format": "diffusers"},
                                    {"average": True}, {"prompts": True}]  # fmt: skip
    assert not any(there(**other) for other in others)
    folder = run / export_run(run, format="diffusers").path
    assert there(format="diffusers") == folder and there() == run / event.path
    (run / event.path).write_bytes(b"cut short")
    assert there() is None
    (folder / "model_index.json").unlink()
    assert there(format="diffusers") is None


@pytest.mark.parametrize("format, name", [("ckpt", "x.ckpt"), ("diffusers", "x")])
def test_format_precision_and_place_can_be_chosen(run: Path, tmp_path: Path, format: str, name: str):  # noqa: A002
    event = export_run(run, format=format, half=True, output=tmp_path / "out" / "x")
    assert event.path == str(tmp_path / "out" / name)
    assert event.format == format
    full = export_run(run, format=format, half=False)
    assert event.bytes < full.bytes


def test_an_existing_folder_takes_the_file_under_its_usual_name(run: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    assert export_run(run, output=tmp_path / "out").path == str(tmp_path / "out" / "dog-step-000020.safetensors")


def test_a_file_of_the_person_is_never_replaced(run: Path, tmp_path: Path):
    (tmp_path / "x.safetensors").write_text("mine")
    with pytest.raises(UserError) as raised:
        export_run(run, output=tmp_path / "x.safetensors")
    assert raised.value.code == "export.exists"
    assert (tmp_path / "x.safetensors").read_text() == "mine"


def test_an_ending_of_another_format_is_refused(run: Path, tmp_path: Path):
    with pytest.raises(UserError) as raised:
        export_run(run, format="safetensors", output=tmp_path / "x.ckpt")
    assert raised.value.code == "export.suffix"
    assert not list(tmp_path.glob("x*"))


def test_a_step_that_was_not_saved_is_told_with_those_that_were(run: Path):
    with pytest.raises(UserError, match="10, 20") as raised:
        export_run(run, step=15)
    assert raised.value.code == "export.no-such-step"


def test_a_run_without_states_says_so(run: Path, tmp_path: Path):
    (run / "checkpoints").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError) as raised:
        export_run(run)
    assert raised.value.code == "export.nothing-saved"


def test_a_damaged_state_is_not_exported(run: Path):
    file = run / "checkpoints" / "step-000020" / "unet.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedFiles, match=r"unet\.safetensors"):
        export_run(run)
    assert not (run / "export").exists()
    export_run(run, step=10)


def test_an_unchanged_model_is_exported_and_loaded_back_equal(tiny_sd1: Path, tmp_path: Path):
    source = loaded(tiny_sd1)
    event = export_trained(source, {}, config_of(tiny_sd1), tmp_path, name="same", step=0)
    exported = loaded(tmp_path / event.path)
    assert all(same(exported, source, name) for name in source.networks)
