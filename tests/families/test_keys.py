"""The map of names is a bijection and agrees with diffusers' own conversion."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from core.families import FAMILIES, keys
from core.families.describe import describe
from core.families.wholeness import check_configs

COUNTS = {
    "sd1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd2-base": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sd2": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {
        "unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480, "text_encoder_2": 694_659_840,
    },
}  # fmt: skip
"""Parameters of the published models."""


def networks(family, configs):
    with torch.device("meta"):
        yield "unet", UNet2DConditionModel.from_config(dict(configs["unet"]))
        yield "vae", AutoencoderKL.from_config(dict(configs["vae"]))
        for encoder in family.encoders:
            kind = CLIPTextModelWithProjection if encoder.projects else CLIPTextModel
            yield encoder.component, kind(CLIPTextConfig(**configs[encoder.component]))


@pytest.fixture(
    scope="module", params=[(size, family) for size in ("tiny", "real") for family in FAMILIES], ids="-".join
)
def source(request, tiny_of):
    """(family, configs) of the tiny and the published model of each."""
    size, family = request.param
    configs = describe(str(tiny_of(family))).configs if size == "tiny" else FAMILIES[family].shipped_configs()
    return FAMILIES[family], configs


@pytest.mark.parametrize("family", FAMILIES)
def test_shipped_configs_are_those_of_the_published_model(family: str):
    configs = FAMILIES[family].shipped_configs()
    check_configs(configs, FAMILIES[family], Path("shipped"))
    found = networks(FAMILIES[family], configs)
    assert {name: sum(p.numel() for p in network.parameters()) for name, network in found} == COUNTS[family]
    factor = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    assert configs["unet"]["sample_size"] * factor == FAMILIES[family].resolution


def test_every_name_goes_there_and_back(source):
    family, configs = source
    seen = set()
    for component, network in networks(*source):
        for name in keys.classic_names(component, network.state_dict()):
            place = keys.to_single_file(family, component, name, configs)
            assert place not in seen
            seen.add(place)
            found = keys.from_single_file(family, component, place.name, configs)
            assert (name, place) in found
            assert len(found) == (1 if place.third is None else 3)


def test_every_block_that_is_asked_for_exists(source):
    for component, network in networks(*source):
        names = keys.classic_names(component, network.state_dict())
        for block in keys.blocks(component, source[1]):
            assert any(name.startswith(block + ".") for name in names), block


@pytest.mark.parametrize(
    "component, convert", [("unet", convert_ldm_unet_checkpoint), ("vae", convert_ldm_vae_checkpoint)]
)
def test_diffusers_converts_to_the_same_names(source, component: str, convert):
    family, configs = source
    own = dict(networks(*source))[component].state_dict()
    single = {}
    for name, tensor in own.items():
        if keys.is_convolution_in_single_file(component, name):
            tensor = tensor[:, :, None, None]
        single[keys.to_single_file(family, component, name, configs).name] = tensor
    back = convert(dict(single), dict(configs[component]))
    assert back.keys() == own.keys()
    for name, tensor in back.items():
        assert tensor.shape == own[name].shape
        if not keys.is_convolution_in_single_file(component, name):
            assert tensor is single[keys.to_single_file(family, component, name, configs).name]


def single_of(family: str):
    configs = FAMILIES[family].shipped_configs()
    return lambda component, name: keys.to_single_file(FAMILIES[family], component, name, configs).name


def test_the_names_of_published_single_files():
    single = single_of("sd1")

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


def test_the_names_of_published_single_files_of_later_families():
    single = single_of("sdxl")
    assert single("unet", "add_embedding.linear_2.bias") == "model.diffusion_model.label_emb.0.2.bias"
    assert single("unet", "up_blocks.1.upsamplers.0.conv.weight") == (
        "model.diffusion_model.output_blocks.5.2.conv.weight"
    )
    assert single("unet", "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj.weight") == (
        "model.diffusion_model.middle_block.1.transformer_blocks.9.ff.net.0.proj.weight"
    )
    assert single("text_encoder", "text_model.encoder.layers.11.mlp.fc1.weight") == (
        "conditioner.embedders.0.transformer.text_model.encoder.layers.11.mlp.fc1.weight"
    )
    assert single("text_encoder_2", "text_projection.weight") == "conditioner.embedders.1.model.text_projection"
    assert single("text_encoder_2", "text_model.encoder.layers.31.self_attn.k_proj.bias") == (
        "conditioner.embedders.1.model.transformer.resblocks.31.attn.in_proj_bias"
    )
    single = single_of("sd2")
    assert single("text_encoder", "text_model.embeddings.position_embedding.weight") == (
        "cond_stage_model.model.positional_embedding"
    )
    assert single("text_encoder", "text_model.encoder.layers.22.self_attn.out_proj.weight") == (
        "cond_stage_model.model.transformer.resblocks.22.attn.out_proj.weight"
    )
    assert single("text_encoder", "text_model.encoder.layers.0.mlp.fc2.bias") == (
        "cond_stage_model.model.transformer.resblocks.0.mlp.c_proj.bias"
    )


@pytest.mark.parametrize("name", ["text_projection.weight", "transformer.resblocks.0.attn.x", "transformer.resblocks"])
def test_what_openclip_s_text_encoder_has_not_is_not_mapped(name: str):
    family, configs = FAMILIES["sdxl"], FAMILIES["sdxl"].shipped_configs()
    with pytest.raises(KeyError):
        keys.from_single_file(family, "text_encoder_2", family.prefix("text_encoder_2") + name, configs)


def test_a_foreign_name_is_not_mapped():
    configs = FAMILIES["sd1"].shipped_configs()
    with pytest.raises(KeyError):
        keys.to_single_file(FAMILIES["sd1"], "unet", "down_blocks.9.resnets.0.norm1.weight", configs)
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
