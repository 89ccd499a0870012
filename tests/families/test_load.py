"""What is loaded is what the source holds, in fp32, whole, and of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.families import keys
from core.families.describe import describe
from core.families.load import load_model, load_tokenizer
from core.families.model import Model
from core.texts import UserError
from tests.families.conftest import changed, export
from tests.tiny import change_json, make_tiny_sd1, read_pipeline


def equal(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def same_networks(first: Model, second: Model) -> bool:
    return all(equal(network, second.networks[name]) for name, network in first.networks.items())


def test_a_folder_loads_as_diffusers_loads_it(tiny_sd1: Path, tiny_model: Model):
    pipeline = read_pipeline(tiny_sd1)
    for name, network in tiny_model.networks.items():
        assert equal(network, getattr(pipeline, name))
        assert not network.training and not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("format", ["safetensors", "ckpt", "diffusers"])
def test_every_format_that_is_written_is_read_back_equal(tiny_model: Model, tmp_path: Path, format: str):  # noqa: A002
    suffix = {"safetensors": ".safetensors", "ckpt": ".ckpt", "diffusers": ""}[format]
    path = export(tiny_model, tmp_path / f"x{suffix}", format)
    assert same_networks(load_model(describe(str(path)), device="cpu"), tiny_model)


def test_half_precision_files_are_loaded_in_full(tiny_model: Model, tmp_path: Path):
    path = export(tiny_model, tmp_path / "half.safetensors", half=True)
    loaded = load_model(describe(str(path)), device="cpu")
    for name, network in loaded.networks.items():
        for key, tensor in network.state_dict().items():
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, tiny_model.networks[name].state_dict()[key].half().float())


def test_old_bin_files_and_old_names_are_read(tiny_sd1: Path, tiny_model: Model, tmp_path: Path):
    import shutil

    copy = Path(shutil.copytree(tiny_sd1, tmp_path / "copy"))
    (copy / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    (copy / "text_encoder" / "model.safetensors").unlink()
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    vae = {}
    for name, tensor in tiny_model.vae.state_dict().items():
        if ".attentions.0." in name:
            for new, before in old.items():
                name = name.replace(f".{new}.", f".{before}.")
        vae[name] = tensor
    assert any(".query." in name for name in vae)
    torch.save(vae, copy / "vae" / "diffusion_pytorch_model.bin")
    encoder = keys.classic_names("text_encoder", tiny_model.text_encoders["text_encoder"].state_dict())
    encoder["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    torch.save(encoder, copy / "text_encoder" / "pytorch_model.bin")
    assert same_networks(load_model(describe(str(copy)), device="cpu"), tiny_model)


def test_a_missing_weight_is_named(tiny_single: Path, tmp_path: Path):
    name = "model.diffusion_model.middle_block.0.in_layers.2.bias"
    path = changed(tiny_single, tmp_path, lambda tensors: {n: t for n, t in tensors.items() if n != name})
    with pytest.raises(UserError, match=r"lacks 1 weight, among them mid_block\.resnets\.0\.conv1\.bias"):
        load_model(describe(str(path)), device="cpu")


def test_a_shape_that_does_not_fit_is_named(tiny_single: Path, tmp_path: Path):
    name = "model.diffusion_model.middle_block.0.in_layers.2.bias"
    path = changed(tiny_single, tmp_path, lambda tensors: tensors | {name: torch.zeros(3)})
    with pytest.raises(UserError, match=r"conv1\.bias in its unet is \(3,\), expected \(64,\)"):
        load_model(describe(str(path)), device="cpu")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused_by_name(tiny_single: Path, tmp_path: Path, bad: float):
    name = "first_stage_model.decoder.conv_out.bias"
    path = changed(tiny_single, tmp_path, lambda tensors: tensors | {name: torch.tensor([0, bad, 0.0])})
    with pytest.raises(UserError, match=r"decoder\.conv_out\.bias") as raised:
        load_model(describe(str(path)), device="cpu")
    assert raised.value.code == "source.not-finite"


def test_a_config_that_cannot_be_built_is_the_source_s_fault(tmp_path: Path):
    make_tiny_sd1(tmp_path / "x")
    change_json(tmp_path / "x" / "unet" / "config.json", act_fn="nonsense")
    with pytest.raises(UserError) as raised:
        load_model(describe(str(tmp_path / "x")), device="cpu")
    assert raised.value.code == "source.config-value"


def test_weights_do_not_hang_on_the_file(tiny_model: Model, tmp_path: Path):
    for suffix, kind in ((".safetensors", "safetensors"), (".ckpt", "ckpt")):
        path = export(tiny_model, tmp_path / f"x{suffix}", kind)
        loaded = load_model(describe(str(path)), device="cpu")
        path.write_bytes(b"\0" * 100)
        assert same_networks(loaded, tiny_model)


def test_every_tensor_has_memory_of_its_own(tiny_model: Model):
    for network in tiny_model.networks.values():
        for parameter in network.parameters():
            assert parameter.untyped_storage().nbytes() == parameter.nbytes


def test_a_tokenizer_is_read_once_and_again_where_its_files_have_changed(tiny_sd1: Path, tmp_path: Path):
    import shutil

    shutil.copytree(tiny_sd1, tmp_path / "x")
    first = load_tokenizer(describe(str(tmp_path / "x")))
    assert load_tokenizer(describe(str(tmp_path / "x"))) is first
    config = tmp_path / "x" / "tokenizer" / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"pad_token": "<|endoftext|>"', '"pad_token": "!"'))
    assert first.pad_token == "<|endoftext|>"
    assert load_tokenizer(describe(str(tmp_path / "x"))).pad_token == "!"


def test_the_source_s_own_tokenizer_is_used(tiny_sd1: Path, tiny_single: Path, tmp_path: Path):
    texts = ["a photo of sks dog", "x" * 300, "Ünï 12"]
    own, shipped = load_tokenizer(describe(str(tiny_sd1))), load_tokenizer(describe(str(tiny_single)))
    for text in texts:
        assert own(text, padding="max_length", max_length=77).input_ids == (
            shipped(text, padding="max_length", max_length=77).input_ids
        )
    make_tiny_sd1(tmp_path / "x")
    (tmp_path / "x" / "tokenizer" / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="tokenizer"):
        load_tokenizer(describe(str(tmp_path / "x")))
