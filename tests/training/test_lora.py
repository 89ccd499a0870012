"""Runs that train adapters: what is trained, in which precision, and that it learns, resumes and is exported right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from core.choices.adapters import METHODS, TARGETS
from core.config.options import RunConfig
from core.events import Export, Sample, Step, Validation
from core.seeds import generator
from core.tensors import read_tensors
from core.training.checkpoints import list_checkpoints
from core.training.trainer import Trainer
from tests.tiny import FAMILY_IDS, read_pipeline
from tests.training.runs import final_weights, first_gradients, quick_config, ready_trainer, run_to_end
from tests.training.test_resuming import killed_after, losses

TinyOf = Callable[[str], Path]
SIDE, DRAWN = 32, 48
LORA: dict[str, Any] = {
    "lora__enabled": True,
    "lora__rank": 4,
    "lora__alpha": 2.0,
    "lora__text_encoder_rank": 2,
    "lora__text_encoder_alpha": 3.0,
    "learning_rate__rate": 1e-2,
}


class Reference:
    """One step straight from diffusers' pipeline and peft's adapters, with no code of ours but the seeds' rule."""

    def __init__(self, source: Path, config: RunConfig) -> None:
        self.config = config
        self.pipeline = read_pipeline(source)
        self.networks: dict[str, nn.Module] = {"unet": self.pipeline.unet, "text_encoder": self.pipeline.text_encoder}
        if hasattr(self.pipeline, "text_encoder_2"):
            self.networks["text_encoder_2"] = self.pipeline.text_encoder_2
        attention = {"unet": ["to_q", "to_k", "to_v", "to_out.0"]}
        lora = config.lora
        for name, network in self.networks.items():
            rank, alpha = (
                (lora.rank, lora.alpha) if name == "unet" else (lora.text_encoder_rank, lora.text_encoder_alpha)
            )
            targets = attention.get(name, ["q_proj", "k_proj", "v_proj", "out_proj"])
            common = {"r": rank, "target_modules": targets}
            network.requires_grad_(False)
            adapter = {
                "lora": lambda: LoraConfig(lora_alpha=alpha, **common),  # noqa: B023
                "dora": lambda: LoraConfig(lora_alpha=alpha, use_dora=True, **common),  # noqa: B023
                "loha": lambda: LoHaConfig(alpha=alpha, **common),  # noqa: B023
                "lokr": lambda: LoKrConfig(alpha=alpha, **common),  # noqa: B023
            }[lora.method]()
            inject_adapter_in_model(adapter, network)

    def take(self, trainer: Trainer) -> None:
        """Start from the very values that the trainer's adapters have."""
        for name, network in self.networks.items():
            ours = dict(trainer._model.networks[name].named_parameters())
            theirs = {n: p for n, p in network.named_parameters() if p.requires_grad}
            assert theirs.keys() == {n for n, p in ours.items() if p.requires_grad}
            for key, parameter in theirs.items():
                parameter.data.copy_(ours[key])

    def loss(self, instances: list[Path], priors: list[Path]) -> Tensor:
        scheduler = DDPMScheduler.from_config(self.pipeline.scheduler.config)
        x0s, noises, ts = [], [], []
        for purpose, paths in (("instance", instances), ("prior", priors)):
            for slot, path in enumerate(paths):
                random = generator(self.config.performance.seed, purpose, 0, slot)
                t = torch.randint(1000, (), generator=random)
                noise, posterior = (torch.randn(4, 16, 16, generator=random) for _ in range(2))
                image = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
                pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
                encoded = self.pipeline.vae.encode(pixels.float()).latent_dist
                scaling = self.pipeline.vae.config.scaling_factor
                x0s.append((encoded.mean + encoded.std * posterior)[0].detach() * scaling)
                noises.append(noise)
                ts.append(t)
        captions = ["a sks dog"] * len(instances) + ["a dog"] * len(priors)
        hidden, _, *pooled = self.pipeline.encode_prompt(
            captions, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        added = {}
        if pooled:
            sizes = [(DRAWN, DRAWN)] * len(instances) + [(SIDE, SIDE)] * len(priors)
            ids = torch.tensor([[*size, 0, 0, SIDE, SIDE] for size in sizes])
            added = {"added_cond_kwargs": {"text_embeds": pooled[0], "time_ids": ids.float()}}
        x0, noise, t = torch.stack(x0s), torch.stack(noises), torch.stack(ts)
        pred = self.pipeline.unet(scheduler.add_noise(x0, noise, t), t, hidden, **added).sample
        predicts_v = scheduler.config.prediction_type == "v_prediction"
        target = scheduler.get_velocity(x0, noise, t) if predicts_v else noise
        count = len(instances)
        loss = functional.mse_loss(pred[:count], target[:count])
        if priors:
            loss = loss + self.config.prior_loss.weight * functional.mse_loss(pred[count:], target[count:])
        return loss


def stirred(trainer: Trainer) -> Trainer:
    """No factor is zero any more, so that every one has a gradient."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        for network in trainer._model.networks.values():
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.data += 0.05 * torch.randn(parameter.shape)
    return trainer


@pytest.mark.parametrize(
    ("family", "method"),
    [*((family, "lora") for family in FAMILY_IDS), ("sd1", "dora"), ("sd1", "loha"), ("sd1", "lokr")],
)
def test_one_step_has_the_loss_and_gradients_of_pefts_own(
    tmp_path: Path, tiny_of: TinyOf, pictures: Path, family: str, method: str
) -> None:
    config = quick_config(tiny_of(family), pictures, batch__size=2, lora__method=method,
                          concepts__0__prior__images_per_instance=1, **LORA)  # fmt: skip
    trainer = stirred(ready_trainer(config, tmp_path / "run"))
    reference = Reference(tiny_of(family), config)
    reference.take(trainer)
    slots = trainer._prepared.batches.step(0)
    figures = first_gradients(trainer)
    concept = trainer._prepared.dataset.concepts[0]
    loss = reference.loss(
        [concept.instance[slot.instance].path for slot in slots],
        [concept.prior[slot.prior].path for slot in slots if slot.prior is not None],
    )
    loss.backward()  # type: ignore[no-untyped-call]

    assert figures.instance + 0.75 * figures.prior == pytest.approx(loss.item(), rel=1e-5)
    for name, network in reference.networks.items():
        ours = dict(trainer._model.networks[name].named_parameters())
        compared = 0
        for key, parameter in network.named_parameters():
            if parameter.requires_grad:
                if parameter.grad is None:  # a layer behind the one that the UNet sees
                    assert ours[key].grad is None, key
                    continue
                torch.testing.assert_close(ours[key].grad, parameter.grad, rtol=1e-4, atol=1e-5, msg=key)
                compared += 1
            else:
                assert ours[key].grad is None, key
        assert compared


def test_accumulated_passes_give_the_update_of_one_batch(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    after = {}
    for size, accumulation in ((4, 1), (2, 2), (1, 4)):
        config = quick_config(tiny_sd1, pictures, batch__size=size, batch__accumulation=accumulation,
                              intervals__max_steps=1, performance__text_encoder_ratio=1.0,
                              concepts__0__prior__images_per_instance=1, **LORA)  # fmt: skip
        folder = tmp_path / f"{size}-{accumulation}"
        trainer = stirred(ready_trainer(config, folder))
        first_gradients(trainer)
        after[size] = {n: p.grad for n, p in trainer._model.unet.named_parameters() if p.requires_grad}
    for name, gradient in after[4].items():
        torch.testing.assert_close(after[2][name], gradient, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(after[1][name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_what_is_trained_is_in_32_bits_beside_a_base_in_the_runs_precision(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, method: str, precision: str
) -> None:
    config = quick_config(tiny_sd1, pictures, performance__mixed_precision=precision, lora__method=method, **LORA)
    trainer = ready_trainer(config, tmp_path / "run")
    base = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    for name, network in trainer._model.networks.items():
        expected = torch.float32 if name == "vae" else base
        kinds = {parameter.requires_grad: parameter.dtype for parameter in network.parameters()}
        assert kinds == ({False: expected} if name == "vae" else {False: expected, True: torch.float32})


def test_doras_lengths_are_measured_in_32_bits(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, performance__mixed_precision="bf16",
                          **LORA | {"lora__method": "dora", "lora__targets": "all"})  # fmt: skip
    trainer = ready_trainer(config, tmp_path / "run")
    layers = {name: module for name, module in trainer._model.unet.named_modules() if hasattr(module, "base_layer")}
    for layer in layers.values():
        lengths = layer.lora_magnitude_vector["default"].weight.flatten()
        weight = layer.base_layer.weight.float()
        torch.testing.assert_close(lengths, weight.flatten(1).norm(dim=1), rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_adapters_learn_and_the_base_stays_as_it_is(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, method: str
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__epochs=8, intervals__validate_every_steps=32,
                          performance__mixed_precision="bf16", lora__method=method,
                          **LORA | {"lora__targets": "all"})  # fmt: skip
    trainer = Trainer(config, tmp_path, resume=False, poll=lambda: ())
    before: dict[str, Tensor] = {}
    events = []
    for event in trainer.run():
        events.append(event)
        if not before and isinstance(event, Validation):
            before = {n: p.clone() for n, p in trainer._model.unet.named_parameters() if not p.requires_grad}
    fixed = [event.instance for event in events if isinstance(event, Validation)]
    assert fixed[-1] < 0.98 * fixed[0]
    now = dict(trainer._model.unet.named_parameters())
    assert before and all(torch.equal(tensor, now[name]) for name, tensor in before.items())


def test_a_fresh_adapter_changes_nothing(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    def first_loss(**changes: Any) -> float | None:
        config = quick_config(tiny_sd1, pictures, intervals__max_steps=1, **changes)
        events = run_to_end(config, tmp_path / str(len(list(tmp_path.iterdir()))))
        return next(event.loss for event in events if isinstance(event, Step))

    plain = first_loss()
    for method in METHODS:
        assert first_loss(lora__method=method, **LORA) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize(
    "mode",
    [
        {"concepts__0__prior__images_per_instance": 1},
        {"lora__method": "dora", "performance__mixed_precision": "bf16", "performance__optimizer": "adamw_8bit"},
        {"lora__method": "lokr", "lora__targets": "all", "performance__text_encoder_ratio": 0.0},
    ],
)
def test_a_killed_and_resumed_run_ends_in_the_same_bits(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, mode: dict[str, Any]
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1, **LORA | mode)
    undisturbed = run_to_end(config, tmp_path / "whole")
    for step in (2, 5):
        folder = tmp_path / f"killed-{step}"
        killed_after(config, folder, step)
        resumed = losses(run_to_end(config, folder, resume=True))
        assert resumed == {step: losses(undisturbed)[step] for step in resumed}
        assert final_weights(folder) == final_weights(tmp_path / "whole")


def test_a_state_holds_the_adapters_and_no_weight_of_the_model(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    run_to_end(quick_config(tiny_sd1, pictures, intervals__max_steps=4, **LORA), tmp_path / "run")
    _, state = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert {file.name for file in state.glob("*.safetensors")} == {
        "unet.safetensors", "text_encoder.safetensors", "optimizer.safetensors",
    }  # fmt: skip
    for file in ("unet", "text_encoder"):
        tensors = read_tensors(state / f"{file}.safetensors")
        assert tensors and all(".lora_" in name and tensor.dtype == torch.float32 for name, tensor in tensors.items())
    shapes = {tuple(tensor.shape) for tensor in read_tensors(state / "text_encoder.safetensors").values()}
    assert shapes == {(2, 32), (32, 2)}, "the text encoder's rank is its own"


def test_the_text_encoders_adapters_stop_with_the_ratio_and_are_kept(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__save_every_steps=1, **LORA)
    steps = [event for event in run_to_end(config, tmp_path / "run") if isinstance(event, Step)]
    assert [step.text_encoder_rate is None for step in steps] == [False] * 4 + [True] * 4
    killed_after(config, tmp_path / "early", 4)
    early, late = final_weights(tmp_path / "early"), final_weights(tmp_path / "run")
    assert early["text_encoder.safetensors"] == late["text_encoder.safetensors"]
    assert early["unet.safetensors"] != late["unet.safetensors"]


def test_the_targets_decide_what_gets_an_adapter(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    found: dict[str, set[str]] = {}
    for targets in TARGETS:
        config = quick_config(tiny_sd1, pictures, lora__targets=targets, **LORA)
        trainer = ready_trainer(config, tmp_path / targets.replace("+", "-"))
        found[targets] = {
            name.removesuffix(".base_layer")
            for component in ("unet", "text_encoder")
            for name, module in trainer._model.networks[component].named_modules()
            if name.endswith(".base_layer") and isinstance(module, nn.Linear | nn.Conv2d)
        }
    ends = {targets: {name.rpartition(".")[2] for name in names} for targets, names in found.items()}
    attention = {"to_q", "to_k", "to_v", "0", "q_proj", "k_proj", "v_proj", "out_proj"}
    assert ends["attention"] == attention
    assert ends["attention+mlp"] == attention | {"proj", "2", "fc1", "fc2"}
    convolutions = {"conv", "conv1", "conv2", "conv_shortcut"}
    assert ends["all"] == ends["attention+mlp"] | convolutions | {"proj_in", "proj_out", "time_emb_proj"}


def picture_of(pipeline: Any, config: RunConfig) -> numpy.ndarray:
    sample = config.concepts[0].sample
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline("a sks dog", num_inference_steps=sample.steps, guidance_scale=sample.guidance_scale,
                     height=SIDE, width=SIDE,
                     generator=torch.Generator().manual_seed(sample.seed)).images[0]  # fmt: skip
    return numpy.asarray(image).astype(int)


def exported(folder: Path, source: Path, pictures: Path, **changes: Any) -> tuple[RunConfig, Path, numpy.ndarray]:
    """A whole run with a preview after its last step: its configuration, its export and that preview."""
    config = quick_config(
        source, pictures, intervals__max_steps=4, intervals__sample_every_steps=4, saving__half=False,
        saving__export_when_done=True, performance__text_encoder_ratio=1.0,
        **LORA | {"learning_rate__rate": 5e-2} | changes,
    )  # fmt: skip
    events = run_to_end(config, folder)
    preview = next(event for event in events if isinstance(event, Sample))
    export = next(event for event in events if isinstance(event, Export))
    return config, folder / export.path, numpy.asarray(Image.open(folder / preview.path)).astype(int)


@pytest.mark.parametrize("family", FAMILY_IDS)
@pytest.mark.parametrize(
    ("export_format", "targets"), [("lora", "attention"), ("lora", "all"), ("lora-diffusers", "attention")]
)
def test_diffusers_makes_the_runs_own_preview_of_the_exported_lora(
    tmp_path: Path, tiny_of: TinyOf, pictures: Path, family: str, export_format: str, targets: str
) -> None:
    config, path, preview = exported(tmp_path / "run", tiny_of(family), pictures, saving__export_format=export_format,
                                     lora__targets=targets)  # fmt: skip
    pipeline = read_pipeline(tiny_of(family))
    plain = picture_of(pipeline, config)
    pipeline.load_lora_weights(path)
    assert numpy.abs(picture_of(pipeline, config) - preview).max() <= 1, "to rounding of 8 bits"
    assert numpy.abs(plain - preview).max() > 10, "the adapters do something"


@pytest.mark.parametrize(
    ("family", "method"), [*(("sd1", method) for method in METHODS), *((family, "lora") for family in FAMILY_IDS[1:])]
)
def test_a_merged_export_makes_the_runs_own_preview(
    tmp_path: Path, tiny_of: TinyOf, pictures: Path, family: str, method: str
) -> None:
    config, path, preview = exported(tmp_path / "run", tiny_of(family), pictures, saving__export_format="diffusers",
                                     lora__method=method, lora__targets="all")  # fmt: skip
    pipeline = read_pipeline(path)
    assert numpy.abs(picture_of(pipeline, config) - preview).max() <= 1
