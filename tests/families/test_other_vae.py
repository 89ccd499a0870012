from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.families.describe import describe
from core.families.keys import to_single_file
from core.families.load import load_model
from core.families.sd1 import SD1
from core.texts import UserError
from tests.tiny import change_json, make_tiny_sd1


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose VAE is another one."""
    return make_tiny_sd1(tmp_path_factory.mktemp("other") / "model", seed=5)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")


def original_layout(model: Path, prefix: bool) -> dict[str, torch.Tensor]:
    configs = describe(str(model)).configs
    names = {name: to_single_file(SD1, "vae", name, configs).name for name in weights(model)}
    kept = slice(0 if prefix else len(SD1.prefix("vae")), None)
    return {names[name][kept]: tensor.contiguous() for name, tensor in weights(model).items()}


def written(tensors: dict[str, torch.Tensor], path: Path) -> Path:
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("form", ["vae folder", "model folder", "original", "original in a model", "diffusers file"])
def test_every_form_of_a_vae_takes_the_place_of_the_source_s(
    tmp_path: Path, tiny_sd1: Path, other: Path, form: str
) -> None:
    path = {
        "vae folder": lambda: other / "vae",
        "model folder": lambda: other,
        "original": lambda: written(original_layout(other, prefix=False), tmp_path / "vae.safetensors"),
        "original in a model": lambda: written(
            original_layout(other, prefix=True) | {"model.diffusion_model.x": torch.zeros(1)},
            tmp_path / "a.safetensors",
        ),
        "diffusers file": lambda: written(weights(other), tmp_path / "vae.safetensors"),
    }[form]()
    source = describe(str(tiny_sd1), vae=str(path))
    model = load_model(source, device="cpu")
    assert all(torch.equal(tensor, weights(other)[name]) for name, tensor in model.vae.state_dict().items())
    own = load_model(describe(str(tiny_sd1)), device="cpu")
    assert model.vae_hash != own.vae_hash
    unet, untouched = model.unet.state_dict(), own.unet.state_dict()
    assert all(torch.equal(tensor, untouched[name]) for name, tensor in unet.items())


def test_the_scaling_factor_is_that_of_the_other_vae(tmp_path: Path, tiny_sd1: Path, other: Path) -> None:
    copied = tmp_path / "vae"
    copied.mkdir()
    for file in (other / "vae").iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    change_json(copied / "config.json", scaling_factor=0.25)
    assert load_model(describe(str(tiny_sd1), vae=str(copied)), device="cpu").scaling_factor == 0.25


def test_what_is_no_vae_is_refused_by_name(tmp_path: Path, tiny_sd1: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    lora = written({"lora_unet_x.lora_down.weight": torch.zeros(2)}, tmp_path / "lora.safetensors")
    for path, code in ((empty, "vae.none"), (lora, "vae.none"), (tmp_path / "gone", "vae.missing")):
        with pytest.raises(UserError) as caught:
            describe(str(tiny_sd1), vae=str(path))
        assert caught.value.code == code and path.name in str(caught.value)


def test_a_vae_that_lacks_weights_names_its_own_file(tmp_path: Path, tiny_sd1: Path, other: Path) -> None:
    part = {name: tensor for name, tensor in weights(other).items() if not name.startswith("decoder.mid_block")}
    with pytest.raises(UserError) as caught:
        describe(str(tiny_sd1), vae=str(written(part, tmp_path / "part.safetensors")))
    assert caught.value.code == "source.missing-weights" and "part.safetensors" in str(caught.value)


def test_a_vae_that_reduces_otherwise_does_not_fit(tmp_path: Path, tiny_sd1: Path, other: Path) -> None:
    copied = tmp_path / "vae"
    copied.mkdir()
    for file in (other / "vae").iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    change_json(copied / "config.json", block_out_channels=[16, 32, 32])
    with pytest.raises(UserError) as caught:
        describe(str(tiny_sd1), vae=str(copied))
    assert caught.value.code == "vae.other-size"
