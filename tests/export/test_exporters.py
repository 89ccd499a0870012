"""What is written is what other programs read, tensor by tensor."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file

from core.choices.formats import EXPORT_FORMATS
from core.export import exporters
from core.export.adapters import ADAPTER_EXPORTERS
from core.export.exporters import EXPORTERS, export_model, unusual_configs
from core.families import FAMILIES
from core.families.describe import describe
from core.families.keys import classic_names
from core.families.load import load_model
from core.families.model import Model
from core.families.single_file import sidecar
from core.files import verify_directory
from core.texts import UserError
from tests.families.conftest import export
from tests.tiny import read_pipeline

SD1 = FAMILIES["sd1"]
NETWORKS = ("unet", "vae", "text_encoder")


@pytest.fixture(scope="module")
def model(tiny_sd1: Path) -> Model:
    return load_model(describe(str(tiny_sd1)), device="cpu")


def test_every_format_of_the_options_has_its_writer():
    assert EXPORTERS.keys() | ADAPTER_EXPORTERS.keys() == EXPORT_FORMATS.keys()
    assert ADAPTER_EXPORTERS.keys() == {entry.id for entry in EXPORT_FORMATS.values() if entry.is_adapter}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("format", ["safetensors", "ckpt", "diffusers"])
def test_diffusers_reads_every_tensor_equal(model: Model, tiny_sd1: Path, tmp_path: Path, format: str, half: bool):  # noqa: A002
    path = export(model, tmp_path / ("x" + EXPORT_FORMATS[format].suffix), format, half)
    dtype = torch.float16 if half else torch.float32
    if format == "diffusers":
        pipeline = read_pipeline(path, torch_dtype=dtype)
    else:
        pipeline = StableDiffusionPipeline.from_single_file(
            str(path), config=str(tiny_sd1), torch_dtype=dtype, local_files_only=True
        )
    for name in NETWORKS:
        ours, theirs = model.networks[name].state_dict(), getattr(pipeline, name).state_dict()
        assert ours.keys() == theirs.keys()
        for key, tensor in ours.items():
            assert torch.equal(tensor.to(dtype), theirs[key]), f"{name} {key}"


def test_a_folder_carries_the_tokenizer_and_the_scheduler(model: Model, tmp_path: Path):
    path = export(model, tmp_path / "x", "diffusers")
    pipeline = read_pipeline(path)
    assert pipeline.tokenizer("a dog").input_ids == [49406, 320, 1929, 49407]
    assert type(pipeline.scheduler).__name__ == "PNDMScheduler"
    assert pipeline.scheduler.config.beta_start == 0.00085
    verify_directory(path)


def test_the_classic_names_stand_in_every_file(model: Model, tmp_path: Path):
    single = load_file(export(model, tmp_path / "x.safetensors"))
    ckpt = torch.load(export(model, tmp_path / "x.ckpt", "ckpt"), weights_only=True)["state_dict"]
    folder = load_file(export(model, tmp_path / "x", "diffusers") / "text_encoder" / "model.safetensors")
    assert "cond_stage_model.transformer.text_model.final_layer_norm.weight" in single
    assert single.keys() == ckpt.keys()
    assert all(name.startswith("text_model.") for name in folder)


def test_attention_of_the_vae_is_a_convolution_only_in_single_files(model: Model, tmp_path: Path):
    single = load_file(export(model, tmp_path / "x.safetensors"))
    folder = load_file(export(model, tmp_path / "x", "diffusers") / "vae" / "diffusion_pytorch_model.safetensors")
    assert single["first_stage_model.encoder.mid.attn_1.q.weight"].shape == (32, 32, 1, 1)
    assert single["first_stage_model.encoder.mid.attn_1.q.bias"].shape == (32,)
    assert folder["encoder.mid_block.attentions.0.to_q.weight"].shape == (32, 32)


def test_the_tokenizer_of_a_single_file_is_written_in_full(tiny_sd1: Path, model: Model, tmp_path: Path):
    single = load_model(describe(str(export(model, tmp_path / "x.safetensors"))), device="cpu")
    path = export(single, tmp_path / "x", "diffusers")
    assert sorted(file.name for file in (path / "tokenizer").iterdir()) == [
        "merges.txt",
        "special_tokens_map.json",
        "tokenizer_config.json",
        "vocab.json",
    ]
    pipeline = read_pipeline(path)
    original = read_pipeline(tiny_sd1)
    for text in ("a photo of sks dog", "Ünï <|endoftext|> 12"):
        arguments = {"padding": "max_length", "max_length": 77, "truncation": True}
        assert pipeline.tokenizer(text, **arguments).input_ids == original.tokenizer(text, **arguments).input_ids


def parts_of(model: Model) -> dict[str, dict[str, torch.Tensor]]:
    return {name: classic_names(name, network.state_dict()) for name, network in model.networks.items()}


def write(model: Model, parts: dict, path: Path, *, half: bool, format: str = "safetensors") -> int:  # noqa: A002
    return export_model(parts, model.configs, {}, path, format, half, {"a": "b"}, family=SD1)


@pytest.mark.parametrize(
    "value, half, code",
    [
        (1e5, True, "export.too-large-for-half"),
        (float("nan"), True, "export.not-finite"),
        (float("nan"), False, "export.not-finite"),
        (float("inf"), False, "export.not-finite"),
    ],
)
def test_what_is_not_finite_is_not_written(model: Model, tmp_path: Path, value: float, half: bool, code: str):
    parts = parts_of(model)
    parts["unet"]["conv_in.bias"] = parts["unet"]["conv_in.bias"].clone().fill_(value)
    with pytest.raises(UserError, match=r"conv_in\.bias") as raised:
        write(model, parts, tmp_path / "x.safetensors", half=half)
    assert raised.value.code == code
    assert list(tmp_path.iterdir()) == []
    if code == "export.too-large-for-half":
        write(model, parts, tmp_path / "x.safetensors", half=False)


def test_the_bytes_told_are_those_on_disk_and_the_mode_is_the_umask_s(model: Model, tmp_path: Path):
    for format, suffix in (("safetensors", ".safetensors"), ("ckpt", ".ckpt")):  # noqa: A001
        path = tmp_path / f"x{suffix}"
        assert write(model, parts_of(model), path, half=True, format=format) == path.stat().st_size
        umask = os.umask(0)
        os.umask(umask)
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("format", ["safetensors", "ckpt", "diffusers"])
def test_a_write_that_fails_leaves_the_old_file_and_no_trace(
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format: str,  # noqa: A002
):
    path = tmp_path / ("x" + EXPORT_FORMATS[format].suffix)
    write(model, parts_of(model), path, half=True, format=format)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporters, "write_tensors", full)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError) as raised:
        write(model, parts_of(model), path, half=False, format=format)
    assert raised.value.code == "disk.full"
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_too_little_room_is_seen_before_anything_is_written(model: Model, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(exporters, "free_bytes", lambda path: 1000)
    with pytest.raises(UserError) as raised:
        write(model, parts_of(model), tmp_path / "x.safetensors", half=True)
    assert raised.value.code == "export.no-room"
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_that_of_the_tensors_in_the_file(model: Model, tmp_path: Path):
    path = tmp_path / "x.safetensors"
    write(model, parts_of(model), path, half=True)
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.hash_sha256"] == "0x" + hashlib.sha256(content[start:]).hexdigest()
    assert (metadata["format"], metadata["a"]) == ("pt", "b")


def test_only_models_of_unusual_size_bring_their_configs(model: Model, tmp_path: Path):
    assert not unusual_configs(SD1, SD1.shipped_configs())
    assert unusual_configs(SD1, model.configs)
    older = {name: dict(config) for name, config in SD1.shipped_configs().items()}
    del older["unet"]["resnet_time_scale_shift"]
    older["vae"]["sample_size"] = 256
    older["text_encoder"]["torch_dtype"] = "float32"
    assert not unusual_configs(SD1, older)
    for component, change in (
        ("scheduler", {"prediction_type": "v_prediction"}),
        ("scheduler", {"rescale_betas_zero_snr": True}),
        ("unet", {"sample_size": 96}),
    ):
        assert unusual_configs(SD1, older | {component: {**older[component], **change}})


def test_the_configs_of_a_ckpt_stand_beside_it(model: Model, tmp_path: Path):
    path = tmp_path / "x.ckpt"
    write(model, parts_of(model), path, half=True, format="ckpt")
    assert json.loads(sidecar(path).read_text()).keys() == model.configs.keys()
    assert torch.load(path, weights_only=True).keys() == {"state_dict"}


def test_a_ckpt_holds_no_more_bytes_than_its_tensors(model: Model, tmp_path: Path):
    parts = parts_of(model)
    large = torch.zeros(1_000_000)
    parts["unet"]["conv_in.bias"] = large[: parts["unet"]["conv_in.bias"].numel()]
    size = write(model, parts, tmp_path / "x.ckpt", half=False, format="ckpt")
    assert size < sum(t.nbytes for part in parts.values() for t in part.values()) + 200_000


def test_v_prediction_and_zero_terminal_snr_survive_every_format(model: Model, tiny_sd1: Path, tmp_path: Path):
    from tests.tiny import change_json

    source = Path(shutil.copytree(tiny_sd1, tmp_path / "source"))
    change_json(
        source / "scheduler" / "scheduler_config.json",
        _class_name="DDIMScheduler",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
    )
    change_json(source / "model_index.json", scheduler=["diffusers", "DDIMScheduler"])
    loaded = load_model(describe(str(source)), device="cpu")
    for format in EXPORTERS:  # noqa: A001
        path = export(loaded, tmp_path / ("y" + EXPORT_FORMATS[format].suffix), format)
        again = load_model(describe(str(path)), device="cpu")
        assert again.schedule.prediction_type == "v_prediction"
        assert torch.equal(again.schedule.alphas_cumprod, loaded.schedule.alphas_cumprod)
        assert again.schedule.alphas_cumprod[-1] == 0
