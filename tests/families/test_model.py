"""A loaded model does what diffusers' pipeline does with the same networks."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline

from core.data.geometry import whole
from core.families.describe import describe
from core.families.load import load_model, noise_schedule
from core.families.model import Model, TextEmbedding
from tests.tiny import read_pipeline


def geometry(count: int) -> torch.Tensor:
    return torch.tensor([whole(64, 64).numbers] * count, dtype=torch.float)


@pytest.fixture(scope="module")
def pipeline(tiny_sd1: Path) -> StableDiffusionPipeline:
    return read_pipeline(tiny_sd1)


@pytest.mark.parametrize("caption", ["", "a photo of sks dog", "dog " * 100])
def test_text_is_encoded_as_the_pipeline_encodes_it(tiny_model: Model, pipeline, caption: str):
    expected, _ = pipeline.encode_prompt(caption, "cpu", 1, False)
    tokens = tiny_model.tokenize([caption])
    assert tokens["text_encoder"].shape == (1, 77)
    assert torch.equal(tiny_model.encode_text(tokens).hidden, expected)


def test_clip_skip_takes_an_earlier_layer_with_the_final_norm(tiny_sd1: Path, pipeline):
    model = load_model(describe(str(tiny_sd1)), device="cpu", clip_skip=2)
    shorter = copy.deepcopy(pipeline.text_encoder)
    shorter.encoder.layers = shorter.encoder.layers[:-1]
    tokens = model.tokenize(["a photo of sks dog"])
    assert torch.equal(model.encode_text(tokens).hidden, shorter(tokens["text_encoder"]).last_hidden_state)
    assert not torch.equal(model.encode_text(tokens).hidden, pipeline.text_encoder(tokens["text_encoder"])[0])


def test_captions_are_padded_with_the_end_token(tiny_single: Path):
    model = load_model(describe(str(tiny_single)), device="cpu")
    ids = model.tokenize(["a dog"])["text_encoder"][0].tolist()
    assert ids == [49406, 320, 1929, *[49407] * 74]


def test_pictures_are_encoded_unscaled_and_decoded_scaled(tiny_model: Model, pipeline):
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    mean, std = tiny_model.encode_image(pixels)
    expected = pipeline.vae.encode(pixels).latent_dist
    assert torch.equal(mean, expected.mean) and torch.equal(std, expected.std)
    assert tiny_model.scaling_factor == pipeline.vae.config.scaling_factor
    assert torch.equal(tiny_model.decode_image(mean * 0.18215), pipeline.vae.decode(mean * 0.18215 / 0.18215).sample)


def test_the_vae_computes_in_its_own_precision_under_autocast(tiny_model: Model):
    pixels = torch.rand(1, 3, 64, 64)
    mean, _ = tiny_model.encode_image(pixels)
    with torch.autocast("cpu", torch.bfloat16):
        same, _ = tiny_model.encode_image(pixels)
        assert tiny_model.decode_image(mean).dtype == torch.float32
    assert torch.equal(mean, same)


def test_the_unet_predicts_what_diffusers_unet_predicts(tiny_model: Model, pipeline):
    x, t = torch.randn(2, 4, 32, 32), torch.tensor([3, 900])
    embedding = tiny_model.encode_text(tiny_model.tokenize(["a dog", "a cat"]))
    prediction = tiny_model.denoise(x, t, tiny_model.conditioning(embedding, geometry(2)))
    assert torch.equal(prediction, pipeline.unet(x, t, encoder_hidden_states=embedding.hidden).sample)
    with torch.autocast("cpu", torch.bfloat16):
        rough = tiny_model.denoise(x, t, tiny_model.conditioning(embedding, geometry(2)))
    assert rough.dtype == torch.bfloat16
    assert torch.allclose(rough.float(), prediction, atol=0.1)


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_the_noise_schedule_is_that_of_ddpm_in_fp32(rescale: bool, beta_schedule: str):
    config = {
        "_class_name": "PNDMScheduler",
        "beta_start": 0.001,
        "beta_end": 0.01,
        "beta_schedule": beta_schedule,
        "num_train_timesteps": 500,
        "rescale_betas_zero_snr": rescale,
        "skip_prk_steps": True,
        "prediction_type": "v_prediction",
    }
    found = noise_schedule(config, torch.device("cpu"))
    wanted = {name: value for name, value in config.items() if name not in ("_class_name", "skip_prk_steps")}
    assert torch.equal(found.alphas_cumprod, DDPMScheduler(**wanted).alphas_cumprod)
    assert found.alphas_cumprod.dtype == torch.float32 and len(found.alphas_cumprod) == 500
    assert (found.alphas_cumprod[-1] == 0) == rescale
    assert found.prediction_type == "v_prediction"


def test_only_what_is_asked_for_trains_and_checkpointing_changes_no_gradient(tiny_sd1: Path):
    def gradients(checkpointing: bool) -> dict[str, torch.Tensor]:
        model = load_model(describe(str(tiny_sd1)), device="cpu")
        model.train_only(["unet", "text_encoder"], gradient_checkpointing=checkpointing)
        assert not any(parameter.requires_grad for parameter in model.vae.parameters())
        encoder = model.text_encoders["text_encoder"]
        assert model.unet.is_gradient_checkpointing == encoder.is_gradient_checkpointing == checkpointing
        assert model.unet.training and encoder.training and not model.vae.training
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1, 4, 32, 32, generator=generator)
        embedding = model.encode_text(model.tokenize(["a dog"]))
        model.denoise(x, torch.tensor([10]), model.conditioning(embedding, geometry(1))).square().mean().backward()
        return {
            f"{name}.{key}": parameter.grad
            for name in ("unet", "text_encoder")
            for key, parameter in model.networks[name].named_parameters()
        }

    plain, saving = gradients(False), gradients(True)
    assert plain.keys() == saving.keys()
    for name, gradient in plain.items():
        assert gradient is not None and saving[name] is not None, name
        assert torch.allclose(gradient, saving[name], atol=1e-6), name


def test_a_text_encoder_that_stopped_keeps_no_gradient(tiny_sd1: Path):
    model = load_model(describe(str(tiny_sd1)), device="cpu")
    model.train_only(["text_encoder"], gradient_checkpointing=False)
    model.encode_text(model.tokenize(["a dog"])).hidden.sum().backward()
    model.offload_text_encoders()
    parameters = list(model.text_encoders["text_encoder"].parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in parameters)


def test_embeddings_keep_their_rows_together():
    first = TextEmbedding(torch.arange(4.0).reshape(2, 2, 1), torch.arange(2.0)[:, None])
    both = TextEmbedding.cat([first, first[[1]]])
    assert both.hidden[:, 0, 0].tolist() == [0, 2, 2] and both.pooled is not None
    assert both.pooled[:, 0].tolist() == [0, 1, 1]
    assert first.repeat(2).hidden[:, 0, 0].tolist() == [0, 0, 2, 2]


def test_the_vae_s_hash_changes_with_its_weights(tiny_sd1: Path, tiny_model: Model):
    model = load_model(describe(str(tiny_sd1)), device="cpu")
    assert model.vae_hash == tiny_model.vae_hash
    other = load_model(describe(str(tiny_sd1)), device="cpu")
    with torch.no_grad():
        other.vae.decoder.conv_out.bias[0] += 1
    assert other.vae_hash != model.vae_hash


def test_gradient_checkpointing_uses_no_name_that_goes_away(tiny_sd1: Path):
    model = load_model(describe(str(tiny_sd1)), device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        model.train_only(["unet", "text_encoder"], gradient_checkpointing=True)
    layers = [part for part in model.text_encoders["text_encoder"].modules() if hasattr(part, "gradient_checkpointing")]
    assert layers and all(layer.gradient_checkpointing for layer in layers)
