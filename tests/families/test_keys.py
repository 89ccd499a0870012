"""The map of names is a bijection and agrees with diffusers' own conversion."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel

from core.families import FAMILIES, keys
from core.families.describe import describe
from core.families.wholeness import check_configs


def networks(configs):
    with torch.device("meta"):
        yield "unet", UNet2DConditionModel.from_config(dict(configs["unet"]))
        yield "vae", AutoencoderKL.from_config(dict(configs["vae"]))
        yield "text_encoder", CLIPTextModel(CLIPTextConfig(**configs["text_encoder"]))


@pytest.fixture(scope="module", params=["tiny", "sd 1.5"])
def configs(request, tiny_sd1: Path):
    return describe(str(tiny_sd1)).configs if request.param == "tiny" else FAMILIES["sd1"].shipped_configs()


def test_shipped_configs_are_those_of_stable_diffusion_1_5():
    configs = FAMILIES["sd1"].shipped_configs()
    check_configs(configs, Path("shipped"))
    counts = {name: sum(p.numel() for p in network.parameters()) for name, network in networks(configs)}
    assert counts == {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}


def test_every_name_goes_there_and_back(configs):
    seen = set()
    for component, network in networks(configs):
        for name in keys.classic_names(component, network.state_dict()):
            single = keys.to_single_file(component, name, configs)
            assert single not in seen
            seen.add(single)
            assert keys.from_single_file(component, single, configs) == name


def test_every_block_that_is_asked_for_exists(configs):
    for component, network in networks(configs):
        names = keys.classic_names(component, network.state_dict())
        for block in keys.blocks(component, configs):
            assert any(name.startswith(block + ".") for name in names), block


@pytest.mark.parametrize(
    "component, convert", [("unet", convert_ldm_unet_checkpoint), ("vae", convert_ldm_vae_checkpoint)]
)
def test_diffusers_converts_to_the_same_names(configs, component: str, convert):
    own = dict(networks(configs))[component].state_dict()
    single = {}
    for name, tensor in own.items():
        if keys.is_convolution_in_single_file(component, name):
            tensor = tensor[:, :, None, None]
        single[keys.to_single_file(component, name, configs)] = tensor
    config = dict(configs[component])
    back = convert(dict(single), config)
    assert back.keys() == own.keys()
    for name, tensor in back.items():
        assert tensor.shape == own[name].shape
        if not keys.is_convolution_in_single_file(component, name):
            assert tensor is single[keys.to_single_file(component, name, configs)]


def test_the_names_of_published_single_files():
    configs = FAMILIES["sd1"].shipped_configs()

    def single(component, name):
        return keys.to_single_file(component, name, configs)

    assert single("unet", "up_blocks.3.resnets.2.conv_shortcut.weight") == (
        "model.diffusion_model.output_blocks.11.0.skip_connection.weight"
    )
    assert single("unet", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight") == (
        "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
    )
    assert (
        single("unet", "up_blocks.0.upsamplers.0.conv.weight") == "model.diffusion_model.output_blocks.2.1.conv.weight"
    )
    assert (
        single("unet", "up_blocks.1.upsamplers.0.conv.weight") == "model.diffusion_model.output_blocks.5.2.conv.weight"
    )
    assert single("vae", "decoder.up_blocks.0.resnets.0.norm1.bias") == (
        "first_stage_model.decoder.up.3.block.0.norm1.bias"
    )
    assert single("vae", "encoder.mid_block.attentions.0.to_out.0.weight") == (
        "first_stage_model.encoder.mid.attn_1.proj_out.weight"
    )
    assert single("text_encoder", "text_model.final_layer_norm.bias") == (
        "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    )


def test_a_foreign_name_is_not_mapped():
    configs = FAMILIES["sd1"].shipped_configs()
    with pytest.raises(KeyError):
        keys.to_single_file("unet", "down_blocks.9.resnets.0.norm1.weight", configs)
    with pytest.raises(KeyError):
        keys.module_names("unet", "nope.weight", {"conv_in.weight"})


@pytest.mark.parametrize(
    "component, name, expected",
    [
        ("text_encoder", "final_layer_norm.bias", "text_model.final_layer_norm.bias"),
        ("text_encoder", "text_model.final_layer_norm.bias", "text_model.final_layer_norm.bias"),
        ("vae", "encoder.mid_block.attentions.0.query.weight", "encoder.mid_block.attentions.0.to_q.weight"),
        ("vae", "decoder.mid_block.attentions.0.proj_attn.bias", "decoder.mid_block.attentions.0.to_out.0.bias"),
        ("unet", "conv_in.weight", "conv_in.weight"),
    ],
)
def test_names_of_older_and_newer_libraries_are_read(component: str, name: str, expected: str):
    assert keys.from_folder(component, name) == expected


def test_a_network_gets_the_names_of_its_own_library():
    assert keys.module_names("text_encoder", "text_model.a.b", {"a.b"}) == "a.b"
    assert keys.module_names("text_encoder", "text_model.a.b", {"text_model.a.b"}) == "text_model.a.b"
