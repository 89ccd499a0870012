"""Whatever lies where a model should is named as what it is, with what to do about it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.families.describe import describe
from core.planning.checks.pictures import meant
from core.texts import UserError
from tests.families.conftest import changed
from tests.tiny import change_json, make_tiny_sd1


def test_a_folder_is_described_without_loading_it(tiny_sd1: Path):
    found = describe(str(tiny_sd1))
    assert (found.kind, found.family, found.prediction_type) == ("folder", "sd1", "epsilon")
    assert (found.native_resolution, found.latent_factor) == (64, 2)
    assert found.parameters == {"unet": 792_964, "vae": 167_959, "text_encoder": 1_600_672}
    assert found.bytes == sum(file.stat().st_size for file in tiny_sd1.rglob("*.safetensors"))


def test_a_single_file_that_brings_its_configs_is_described_like_its_folder(tiny_sd1: Path, tiny_single: Path):
    folder, single = describe(str(tiny_sd1)), describe(str(tiny_single))
    assert single.kind == "safetensors"
    assert (single.parameters, single.native_resolution) == (folder.parameters, folder.native_resolution)
    assert single.configs == folder.configs


def test_the_prediction_type_is_the_source_s_own(tmp_path: Path):
    make_tiny_sd1(tmp_path / "v", prediction_type="v_prediction")
    assert describe(str(tmp_path / "v")).prediction_type == "v_prediction"


def test_a_home_relative_path_is_understood(tiny_sd1: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tiny_sd1.parent))
    assert describe(f"~/{tiny_sd1.name}").path == tiny_sd1


def refused(source: Path | str, **options: str) -> UserError:
    with pytest.raises(UserError) as raised:
        describe(str(source), **options)
    assert raised.value.message.advice, "no word on what to do"
    return raised.value


# What is no weight file at all.


@pytest.mark.parametrize(
    "name, content, code, word",
    [
        ("x.safetensors", b"", "source.empty", "0 bytes"),
        ("x.ckpt", b"", "source.empty", "0 bytes"),
        ("x.safetensors", b"<!DOCTYPE html><html><body>Log in</body></html>", "source.web-page", "web page"),
        ("x.ckpt", b"\n  <HTML>", "source.web-page", "web page"),
        (
            "x.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
            "source.lfs-pointer",
            "git lfs pull",
        ),
        ("x.safetensors", b"garbage that is no header at all", "weights.header", "not a whole"),
        ("x.safetensors", (1000).to_bytes(8, "little") + b"{}", "weights.cut-short", "1,008"),
        ("x.safetensors", (2).to_bytes(8, "little") + b"[]", "weights.header", "not a JSON object"),
    ],
)
def test_a_file_that_holds_no_weights(tmp_path: Path, name: str, content: bytes, code: str, word: str):
    (tmp_path / name).write_bytes(content)
    error = refused(tmp_path / name)
    assert error.code == code
    assert word in str(error)


def test_a_file_cut_short_says_both_sizes(tiny_single: Path, tmp_path: Path):
    content = tiny_single.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-1])
    error = refused(tmp_path / "cut.safetensors")
    assert error.code == "weights.cut-short"
    assert f"{len(content):,}" in str(error) and f"{len(content) - 1:,}" in str(error)


def test_what_is_not_there(tmp_path: Path):
    assert refused("").code == "source.none"
    assert refused(tmp_path / "nowhere.safetensors").code == "source.missing"
    assert refused("a\0b").code == "source.missing"
    assert "demo" in refused(tmp_path / "nowhere.safetensors").message.advice
    assert refused("x" * 5000).code == "source.missing"
    assert refused("someone/something").code == "source.not-downloaded"


@pytest.mark.parametrize("typed", ["dem", "Demo", "deom", "ｄｅｍｏ"])
def test_a_mistyped_demo_is_taken_for_what_it_is(typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"Did you mean demo\?"):
        describe(typed)


def test_a_mistyped_path_of_two_parts_may_be_a_hub_id_but_what_is_near_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert "mean models" not in str(refused("models/sd51"))
    (tmp_path / "models/sd15").mkdir(parents=True)
    problem = refused("models/sd51")
    assert problem.code == "source.not-downloaded" and "Did you mean models/sd15?" in str(problem)
    assert [fix.changes for fix in meant(problem, "model.source")] == [{"model.source": "models/sd15"}]


def test_what_is_no_regular_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert refused(tmp_path / "pipe.safetensors").code == "source.unreadable"


# Weights, but of something else.

UNET = "model.diffusion_model."


@pytest.mark.parametrize(
    "names, what",
    [
        ({"lora_unet_down_blocks_0_attentions_0.lora_down.weight": (4, 8)}, "a LoRA"),
        ({"unet.down_blocks.0.attentions.0.to_q.lora_A.weight": (4, 8)}, "a LoRA"),
        ({"conditioner.embedders.1.model.ln_final.weight": (8,)}, "only a text encoder"),
        ({"conditioner.embedders.0.model.ln_final.weight": (8,)}, "refiner"),
        ({"cond_stage_model.model.ln_final.weight": (8,)}, "only a text encoder"),
        ({"cond_stage_model.model.x": (8,), UNET + "input_blocks.0.0.weight": (8, 5, 3, 3)}, "a depth-to-image model"),
        ({UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 1024)}, "Stable Diffusion 2"),
        ({UNET + "label_emb.0.0.weight": (8, 8)}, "Stable Diffusion XL"),
        ({UNET + "input_blocks.0.0.weight": (8, 9, 3, 3)}, "an inpainting model"),
        ({UNET + "input_blocks.0.0.weight": (8, 8, 3, 3)}, "InstructPix2Pix"),
        ({UNET + "joint_blocks.0.x.weight": (8,)}, "Stable Diffusion 3"),
        ({"control_model.input_blocks.0.0.weight": (8,)}, "a ControlNet"),
        ({"emb_params": (1, 768)}, "a textual inversion"),
        ({"first_stage_model.encoder.conv_in.weight": (8,)}, "only a VAE"),
        ({"encoder.conv_in.weight": (8,)}, "only a VAE"),
        ({"down_blocks.0.resnets.0.norm1.weight": (8,)}, "only the UNet"),
        ({"text_model.embeddings.token_embedding.weight": (8, 8)}, "only a text encoder"),
        ({"layers.0.weight": (8,)}, "something other than a Stable Diffusion model"),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_other_weights_are_named_as_what_they_are(tmp_path: Path, names: dict, what: str, suffix: str):
    tensors = {name: torch.zeros(shape) for name, shape in names.items()}
    path = tmp_path / f"x{suffix}"
    if suffix == ".ckpt":
        torch.save({"state_dict": tensors}, path)
    else:
        save_file(tensors, path)
    error = refused(path)
    assert error.code == "source.foreign"
    assert what in str(error)


def test_a_single_file_of_unusual_size_without_configs_asks_for_its_folder(tiny_single: Path, tmp_path: Path):
    from safetensors.torch import load_file

    save_file(load_file(tiny_single), tmp_path / "bare.safetensors")
    error = refused(tmp_path / "bare.safetensors")
    assert error.code in ("source.unexpected-weights", "source.missing-weights", "source.other-size")


@pytest.mark.parametrize("missing", ["first_stage_model.", "cond_stage_model."])
def test_a_single_file_without_one_of_its_networks(tiny_single: Path, tmp_path: Path, missing: str):
    def change(tensors: dict) -> dict:
        return {name: tensor for name, tensor in tensors.items() if not name.startswith(missing)}

    error = refused(changed(tiny_single, tmp_path, change))
    assert error.code == "source.incomplete"


def test_a_missing_block_is_found_before_anything_is_loaded(tiny_single: Path, tmp_path: Path):
    def change(tensors: dict) -> dict:
        return {name: tensor for name, tensor in tensors.items() if ".middle_block.0." not in name}

    error = refused(changed(tiny_single, tmp_path, change))
    assert error.code == "source.missing-weights"
    assert "mid_block.resnets.0" in str(error)


def test_an_unknown_parameter_is_not_dropped_silently(tiny_single: Path, tmp_path: Path):
    error = refused(changed(tiny_single, tmp_path, lambda t: t | {UNET + "motion.0.weight": torch.zeros(2)}))
    assert error.code == "source.unexpected-weights"


def test_what_classic_files_hold_beside_the_networks_is_passed_over(tiny_single: Path, tmp_path: Path):
    extra = {
        "model_ema.decay": torch.zeros(1),
        "alphas_cumprod": torch.zeros(1000),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.zeros(1, 77, dtype=torch.int64),
        "cond_stage_model.logit_scale": torch.zeros(1),
    }
    found = describe(str(changed(tiny_single, tmp_path, lambda tensors: tensors | extra)))
    assert found.parameters == describe(str(tiny_single)).parameters


@pytest.mark.parametrize(
    "said, meant", [("v", "v_prediction"), ("epsilon", "epsilon"), ("v_prediction", "v_prediction")]
)
def test_modelspec_tells_the_prediction_type(tmp_path: Path, said: str, meant: str):
    from core.families import FAMILIES
    from core.families.single_file import _configs
    from core.families.stored import WeightFile

    file = WeightFile(tmp_path / "x", "safetensors", {}, {"modelspec.prediction_type": said})
    assert _configs(file, FAMILIES["sd1"])["scheduler"]["prediction_type"] == meant


# Folders.


@pytest.fixture
def copy(tiny_sd1: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_sd1, tmp_path / "copy"))


def edit_index(**changes: object) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / "model_index.json", **changes)


@pytest.mark.parametrize(
    "spoil, code, word",
    [
        (lambda f: (f / "model_index.json").unlink(), "source.no-index", "model_index.json"),
        (lambda f: shutil.rmtree(f / "vae"), "source.incomplete", "vae"),
        (lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "source.no-weights", "unet"),
        (
            lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").rename(
                f / "unet" / "diffusion_pytorch_model.fp16.safetensors"
            ),
            "source.no-weights",
            "fp16",
        ),
        (lambda f: (f / "unet" / "config.json").write_text("{"), "source.config-unreadable", "unet/config.json"),
        (lambda f: (f / "unet" / "config.json").write_text("<html>"), "source.web-page", "unet/config.json"),
        (lambda f: (f / "scheduler" / "scheduler_config.json").unlink(), "source.incomplete", "scheduler"),
        (edit_index(_class_name="StableDiffusionXLPipeline"), "source.foreign", "Stable Diffusion XL"),
        (edit_index(_class_name="StableDiffusionInpaintPipeline"), "source.foreign", "inpainting"),
        (edit_index(_class_name="SomethingElse"), "source.foreign", "SomethingElse"),
        (edit_index(unet=["evil_module", "UNet2DConditionModel"]), "source.runs-code", "evil_module"),
        (edit_index(unet=["diffusers", "os.system"]), "source.runs-code", "os.system"),
        (edit_index(extra=["evil_module", "Thing"]), "source.runs-code", "evil_module"),
        (edit_index(unet=[None, None]), "source.incomplete", "unet"),
        (
            lambda f: change_json(f / "unet" / "config.json", auto_map={"AutoModel": "x.y"}),
            "source.runs-code",
            "auto_map",
        ),
        (lambda f: change_json(f / "unet" / "config.json", in_channels=9), "source.foreign", "inpainting"),
        (
            lambda f: change_json(f / "unet" / "config.json", cross_attention_dim=1024),
            "source.other-size",
            "attn2.to_k",
        ),
        (lambda f: change_json(f / "unet" / "config.json", addition_embed_type="text"), "source.config-value", "added"),
        (
            lambda f: change_json(f / "unet" / "config.json", transformer_layers_per_block=[10**9] * 2),
            "source.config-value",
            "layers",
        ),
        (lambda f: change_json(f / "unet" / "config.json", layers_per_block=10**9), "source.config-value", "layers"),
        (lambda f: change_json(f / "unet" / "config.json", block_out_channels="x"), "source.config-value", "channels"),
        (lambda f: change_json(f / "vae" / "config.json", scaling_factor=0), "source.config-value", "scaling_factor"),
        (
            lambda f: change_json(f / "scheduler" / "scheduler_config.json", prediction_type="flow"),
            "source.config-value",
            "prediction_type",
        ),
        (
            lambda f: change_json(f / "scheduler" / "scheduler_config.json", _class_name="evil"),
            "source.config-value",
            "scheduler",
        ),
        (lambda f: change_json(f / "unet" / "config.json", cross_attention_dim=64), "source.other-size", "attn2.to_k"),
    ],
)
def test_what_is_wrong_with_a_folder(copy: Path, spoil: Callable[[Path], object], code: str, word: str):
    spoil(copy)
    error = refused(copy)
    assert error.code == code
    assert word in str(error)


def test_a_folder_that_only_holds_a_single_file_names_it(tiny_single: Path):
    assert tiny_single.name in str(refused(tiny_single.parent))


def test_nothing_that_a_folder_names_is_imported(copy: Path, monkeypatch: pytest.MonkeyPatch):
    (copy / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(copy))
    edit_index(unet=["evil_module", "UNet2DConditionModel"])(copy)
    assert refused(copy).code == "source.runs-code"


def test_a_variant_is_found_by_its_name(copy: Path):
    for file in copy.rglob("*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    assert describe(str(copy), variant="fp16").parameters["unet"] == 792_964
    assert "fp16" in str(refused(copy))


def test_shards_are_read_and_may_not_lead_elsewhere(copy: Path, tmp_path: Path):
    from safetensors.torch import load_file

    whole = copy / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(whole)
    names = sorted(tensors)
    shards = {"a-00001-of-00002.safetensors": names[::2], "a-00002-of-00002.safetensors": names[1::2]}
    for shard, held in shards.items():
        save_file({name: tensors[name] for name in held}, copy / "unet" / shard)
    whole.unlink()
    index = copy / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: shard for shard, held in shards.items() for name in held}}))
    assert describe(str(copy)).parameters["unet"] == 792_964

    index.write_text(json.dumps({"weight_map": {"x": "../../secret.safetensors"}}))
    assert refused(copy).code == "source.config-unreadable"
