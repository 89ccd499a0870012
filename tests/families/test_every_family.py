"""What holds for each family: it is recognised, encodes captions as diffusers does, and survives every file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from core.data.geometry import Geometry
from core.families import FAMILIES
from core.families.describe import describe
from core.families.load import load_model
from core.families.model import Model
from core.families.single_file import CONFIGS_KEY, Undecided, _configs, _family
from core.families.stored import read_weight_file
from core.texts import UserError
from tests.families.conftest import export
from tests.tiny import FAMILY_IDS, change_json, read_pipeline

TinyOf = Callable[[str], Path]


@pytest.fixture(scope="module")
def loaded(tiny_of: TinyOf) -> Callable[[str], Model]:
    """Family's id → its tiny model, loaded once; do not change it."""
    models: dict[str, Model] = {}

    def of(family: str) -> Model:
        if family not in models:
            models[family] = load_model(describe(str(tiny_of(family))), device="cpu")
        return models[family]

    return of


def same_tensors(ours: torch.nn.Module, theirs: torch.nn.Module) -> bool:
    first, second = ours.state_dict(), theirs.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_every_family_has_its_tiny_pipeline():
    assert set(FAMILY_IDS) == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_is_recognised_and_loads_as_diffusers_loads_it(family: str, tiny_of: TinyOf, loaded):
    found = describe(str(tiny_of(family)))
    assert (found.family, found.kind, found.native_resolution) == (family, "folder", 64)
    assert found.prediction_type in FAMILIES[family].predictions
    model, pipeline = loaded(family), read_pipeline(tiny_of(family))
    assert list(model.networks) == list(FAMILIES[family].components)
    for name, network in model.networks.items():
        assert type(network) is type(getattr(pipeline, name))
        assert same_tensors(network, getattr(pipeline, name))
        assert found.parameters[name] == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("family", ["sd1", "sd2-base", "sd2"])
@pytest.mark.parametrize("caption", ["", "a photo of sks dog", "dog " * 100])
def test_captions_are_encoded_as_the_pipeline_encodes_them(family: str, caption: str, tiny_of: TinyOf, loaded):
    model, pipeline = loaded(family), read_pipeline(tiny_of(family))
    expected, _ = pipeline.encode_prompt(caption, "cpu", 1, False)
    made = model.encode_text(model.tokenize([caption]))
    assert torch.equal(made.hidden, expected) and made.pooled is None


@pytest.mark.parametrize("caption", ["a photo of sks dog", "dog " * 100])
@pytest.mark.parametrize("negative", [None, "blurry"])
def test_captions_of_sdxl_are_encoded_as_the_pipeline_encodes_them(caption, negative, tiny_of: TinyOf, loaded):
    """`negative=None` is the empty negative prompt of the pipeline: zeros, as the model's index says."""
    model, pipeline = loaded("sdxl"), read_pipeline(tiny_of("sdxl"))
    positive, unconditional, pooled, unconditional_pooled = pipeline.encode_prompt(
        caption, device="cpu", do_classifier_free_guidance=True, negative_prompt=negative
    )
    ours, none = (model.encode_text(model.tokenize([text])) for text in (caption, negative or ""))
    assert torch.equal(ours.hidden, positive) and torch.equal(ours.pooled, pooled)
    assert torch.equal(none.hidden, unconditional) and torch.equal(none.pooled, unconditional_pooled)
    assert bool(none.hidden.any()) == (negative is not None)


def test_an_empty_caption_of_sdxl_is_encoded_where_the_source_does_not_want_zeros(tiny_of: TinyOf, tmp_path: Path):
    source = Path(shutil.copytree(tiny_of("sdxl"), tmp_path / "source"))
    change_json(source / "model_index.json", force_zeros_for_empty_prompt=False)
    model = load_model(describe(str(source)), device="cpu")
    _, expected, _, pooled = read_pipeline(source).encode_prompt("x", device="cpu", do_classifier_free_guidance=True)
    made = model.encode_text(model.tokenize([""]))
    assert torch.equal(made.hidden, expected) and torch.equal(made.pooled, pooled)
    for format, name in (("safetensors", "x.safetensors"), ("ckpt", "x.ckpt"), ("diffusers", "x")):  # noqa: A001
        again = load_model(describe(str(export(model, tmp_path / name, format))), device="cpu")
        assert not again.zeroes_empty_captions


@pytest.mark.parametrize("family, padding", [("sd1", [49407]), ("sd2-base", [0]), ("sd2", [0]), ("sdxl", [49407, 0])])
def test_captions_are_padded_as_the_family_pads_them(family: str, padding: list[int], loaded, tmp_path: Path):
    """With the source's own tokenizers and with the shipped words alike."""
    single = load_model(describe(str(export(loaded(family), tmp_path / "x.safetensors"))), device="cpu")
    for model in (loaded(family), single):
        tokens = model.tokenize(["a dog"])
        assert [ids[0].tolist() for ids in tokens.values()] == [
            [49406, 320, 1929, 49407, *[pad] * 73] for pad in padding
        ]


def test_the_unet_of_sdxl_is_told_the_geometry_and_the_pooled_embedding(loaded, tiny_of: TinyOf):
    model, pipeline = loaded("sdxl"), read_pipeline(tiny_of("sdxl"))
    x, t = torch.randn(2, 4, 32, 32), torch.tensor([3, 900])
    told = [Geometry(800, 1200, 0, 18, 64, 64), Geometry(100, 64, 12, 0, 64, 64)]
    geometry = torch.tensor([one.numbers for one in told], dtype=torch.float)
    embedding = model.encode_text(model.tokenize(["a dog", "a cat"]))
    expected = pipeline.unet(
        x, t, encoder_hidden_states=embedding.hidden,
        added_cond_kwargs={"text_embeds": embedding.pooled, "time_ids": geometry},
    ).sample  # fmt: skip
    assert torch.equal(model.denoise(x, t, model.conditioning(embedding, geometry)), expected)
    assert not torch.equal(model.denoise(x, t, model.conditioning(embedding, geometry.flip(0))), expected)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_every_encoder_trains(family: str, checkpointing: bool, tiny_of: TinyOf):
    model = load_model(describe(str(tiny_of(family))), device="cpu")
    model.train_only(["unet", *model.text_encoders], gradient_checkpointing=checkpointing)
    geometry = torch.full((1, 6), 64.0)
    embedding = model.encode_text(model.tokenize(["a dog"]))
    x = torch.randn(1, 4, 32, 32)
    model.denoise(x, torch.tensor([10]), model.conditioning(embedding, geometry)).square().mean().backward()
    for name in ("unet", *model.text_encoders):
        first = next(iter(model.networks[name].parameters())).grad
        assert first is not None and bool(first.any()), name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("format", ["safetensors", "ckpt", "diffusers"])
@pytest.mark.parametrize("half", [False, True])
def test_every_export_is_read_back_equal_by_diffusers_and_by_us(
    family: str, format: str, half: bool, loaded, tiny_of: TinyOf, tmp_path: Path  # noqa: A002
) -> None:  # fmt: skip
    model, dtype = loaded(family), torch.float16 if half else torch.float32
    path = export(
        model, tmp_path / ("x" + {"safetensors": ".safetensors", "ckpt": ".ckpt"}.get(format, "")), format, half
    )
    kind = StableDiffusionXLPipeline if family == "sdxl" else StableDiffusionPipeline
    if format == "diffusers":
        pipeline = kind.from_pretrained(path, torch_dtype=dtype, local_files_only=True)
    else:
        pipeline = kind.from_single_file(
            str(path), config=str(tiny_of(family)), torch_dtype=dtype, local_files_only=True
        )
    found = describe(str(path))
    assert (found.family, found.prediction_type) == (family, model.description.prediction_type)
    again = load_model(found, device="cpu")
    for name, network in model.networks.items():
        theirs, ours = getattr(pipeline, name).state_dict(), again.networks[name].state_dict()
        assert theirs.keys() == ours.keys() == network.state_dict().keys()
        for key, tensor in network.state_dict().items():
            assert torch.equal(theirs[key], tensor.to(dtype)), f"{name} {key}"
            assert torch.equal(ours[key], tensor.to(dtype).float()), f"{name} {key}"
    assert again.zeroes_empty_captions == model.zeroes_empty_captions


def test_openclip_s_query_key_and_value_are_one_matrix_and_its_projection_lies_the_other_way(loaded, tmp_path: Path):
    single = load_file(export(loaded("sdxl"), tmp_path / "x.safetensors"))
    second = loaded("sdxl").text_encoders["text_encoder_2"].state_dict()
    prefix = "conditioner.embedders.1.model."
    fused = single[prefix + "transformer.resblocks.1.attn.in_proj_weight"]
    parts = [second[f"text_model.encoder.layers.1.self_attn.{part}_proj.weight"] for part in "qkv"]
    assert torch.equal(fused, torch.cat(parts))
    assert torch.equal(single[prefix + "text_projection"], second["text_projection.weight"].T)


def test_v_prediction_is_marked_in_every_single_file(loaded, tmp_path: Path):
    assert "v_pred" in load_file(export(loaded("sd2"), tmp_path / "x.safetensors"))
    assert "v_pred" in torch.load(export(loaded("sd2"), tmp_path / "x.ckpt", "ckpt"), weights_only=True)["state_dict"]
    for family in ("sd1", "sd2-base", "sdxl"):
        assert "v_pred" not in load_file(export(loaded(family), tmp_path / f"{family}.safetensors"))


def test_sdxl_that_predicts_v_is_told_by_the_mark_alone(tiny_of: TinyOf, tmp_path: Path):
    save_file({"v_pred": torch.empty(0), "ztsnr": torch.empty(0)}, tmp_path / "x.safetensors")
    scheduler = _configs(read_weight_file(tmp_path / "x.safetensors"), FAMILIES["sdxl"])["scheduler"]
    assert (scheduler["prediction_type"], scheduler["rescale_betas_zero_snr"]) == ("v_prediction", True)


# SD2 and its base look the same.


def bare(path: Path, to: Path, **metadata: str) -> Path:
    """The same tensors with only this metadata, and without marks."""
    save_file({name: tensor for name, tensor in load_file(path).items() if name != "v_pred"}, to, metadata or None)
    return to


def test_a_file_of_sd2_that_does_not_say_which_is_undecided(loaded, tmp_path: Path):
    plain = bare(export(loaded("sd2"), tmp_path / "x.safetensors"), tmp_path / "bare.safetensors")
    with pytest.raises(Undecided) as raised:
        describe(str(plain))
    assert raised.value.families == ("sd2-base", "sd2")
    assert raised.value.code == "source.undecided" and "model.family" in raised.value.message.advice


@pytest.mark.parametrize(
    "metadata, family",
    [
        ({"modelspec.prediction_type": "v"}, "sd2"),
        ({"modelspec.prediction_type": "epsilon"}, "sd2-base"),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v"}, "sd2"),
        ({"modelspec.architecture": "stable-diffusion-v2-512"}, "sd2-base"),
    ],
)
def test_metadata_decides_and_a_choice_against_it_does_not(loaded, tmp_path: Path, metadata: dict, family: str):
    plain = bare(export(loaded("sd2"), tmp_path / "x.safetensors"), tmp_path / "bare.safetensors", **metadata)
    for chosen in ("auto", "sd2", "sd2-base", "sd1"):
        assert _family(read_weight_file(plain), chosen).id == family


@pytest.mark.parametrize("chosen", ["sd2", "sd2-base"])
def test_a_choice_decides_where_the_file_does_not(loaded, tmp_path: Path, chosen: str):
    plain = bare(export(loaded("sd2"), tmp_path / "x.safetensors"), tmp_path / "bare.safetensors")
    assert _family(read_weight_file(plain), chosen).id == chosen
    with pytest.raises(Undecided):
        _family(read_weight_file(plain), "sdxl")


def test_a_choice_does_not_change_what_the_weights_say(loaded, tmp_path: Path, tiny_of: TinyOf):
    for family in FAMILIES:
        single = export(loaded(family), tmp_path / f"{family}.safetensors")
        for chosen in FAMILIES:
            assert describe(str(single), family=chosen).family == family
            assert describe(str(tiny_of(family)), family=chosen).family == family


def test_the_layer_that_published_files_of_sd2_have_and_nobody_uses_is_passed_over(loaded, tmp_path: Path):
    path = export(loaded("sd2"), tmp_path / "x.safetensors")
    tensors, metadata = load_file(path), {CONFIGS_KEY: json.dumps(loaded("sd2").configs)}
    layers = loaded("sd2").configs["text_encoder"]["num_hidden_layers"]
    prefix = "cond_stage_model.model."
    extra = {
        name.replace(f".{layers - 1}.", f".{layers}."): tensor.clone()
        for name, tensor in tensors.items()
        if f"resblocks.{layers - 1}." in name
    }
    extra |= {prefix + "text_projection": torch.zeros(32, 32), prefix + "logit_scale": torch.zeros(()),
              prefix + "attn_mask": torch.zeros(77, 77)}  # fmt: skip
    save_file(tensors | extra, tmp_path / "y.safetensors", metadata)
    again = load_model(describe(str(tmp_path / "y.safetensors")), device="cpu")
    assert same_tensors(again.text_encoders["text_encoder"], loaded("sd2").text_encoders["text_encoder"])
    beyond = {name.replace(f".{layers}.", f".{layers + 1}."): tensor for name, tensor in extra.items() if "res" in name}
    save_file(tensors | beyond, tmp_path / "z.safetensors", metadata)
    with pytest.raises(UserError, match=f"layers.{layers + 1}"):
        load_model(describe(str(tmp_path / "z.safetensors")), device="cpu")


# Mismatches.


def test_a_folder_that_names_another_pipeline_is_told(tiny_of: TinyOf, tmp_path: Path):
    for family, pipeline in (("sd1", "StableDiffusionXLPipeline"), ("sdxl", "StableDiffusionPipeline")):
        source = Path(shutil.copytree(tiny_of(family), tmp_path / family))
        change_json(source / "model_index.json", _class_name=pipeline)
        with pytest.raises(UserError) as raised:
            describe(str(source))
        assert raised.value.code == "source.foreign" and "UNet is of another kind" in str(raised.value)


def test_encoders_that_do_not_fit_the_unet_are_told(tiny_of: TinyOf, tmp_path: Path):
    source = Path(shutil.copytree(tiny_of("sdxl"), tmp_path / "source"))
    change_json(source / "unet" / "config.json", projection_class_embeddings_input_dim=7)
    with pytest.raises(UserError, match="projection_class_embeddings_input_dim"):
        describe(str(source))
    shutil.rmtree(source / "text_encoder_2")
    with pytest.raises(UserError) as raised:
        describe(str(source))
    assert raised.value.code == "source.incomplete"


def test_a_refiner_is_named(tmp_path: Path):
    save_file({"conditioner.embedders.0.model.ln_final.weight": torch.zeros(8)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="refiner"):
        describe(str(tmp_path / "x.safetensors"))


def test_the_vae_is_never_in_half_precision(tiny_of: TinyOf):
    model = load_model(describe(str(tiny_of("sdxl"))), device="cpu", dtype=torch.float16)
    assert {parameter.dtype for parameter in model.vae.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in model.unet.parameters()} == {torch.float16}
    assert model.scaling_factor == 0.13025
