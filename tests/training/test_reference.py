"""Loss and gradients of one step against a computation straight from diffusers' and transformers' classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from core.config.options import RunConfig
from core.seeds import generator
from tests.tiny import make_tiny_sd1
from tests.training.runs import draw_pictures, first_gradients, quick_config, ready_trainer

SIDE = 32


class Reference:
    """One DreamBooth step as the paper and diffusers' example have it, with no code of ours but the seeds' rule."""

    def __init__(self, source: Path, config: RunConfig) -> None:
        self.config = config
        self.unet = UNet2DConditionModel.from_pretrained(source / "unet")
        self.vae = AutoencoderKL.from_pretrained(source / "vae")
        self.text_encoder = CLIPTextModel.from_pretrained(source / "text_encoder")
        self.tokenizer = CLIPTokenizer.from_pretrained(source / "tokenizer")
        self.scheduler = DDPMScheduler.from_pretrained(source / "scheduler")

    def loss(self, instances: list[Path], priors: list[Path]) -> Tensor:
        """Of one step of slots 0, 1, … with these pictures."""
        offset = self.config.performance.offset_noise
        x0s, noises, ts = [], [], []
        for purpose, paths in (("instance", instances), ("prior", priors)):
            for slot, path in enumerate(paths):
                random = generator(self.config.performance.seed, purpose, 0, slot)
                t = torch.randint(1000, (), generator=random)
                noise = torch.randn(4, 16, 16, generator=random)
                posterior = torch.randn(4, 16, 16, generator=random)
                if offset:
                    noise = noise + offset * torch.randn(4, 1, 1, generator=random)
                image = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
                pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(SIDE, SIDE, 3)
                encoded = self.vae.encode((pixels.permute(2, 0, 1)[None] / 127.5 - 1).float()).latent_dist
                x0s.append((encoded.mean + encoded.std * posterior)[0].detach() * self.vae.config.scaling_factor)
                noises.append(noise)
                ts.append(t)
        captions = ["a sks dog"] * len(instances) + ["a dog"] * len(priors)
        ids = self.tokenizer(captions, padding="max_length", max_length=77, return_tensors="pt").input_ids
        x0, noise, t = torch.stack(x0s), torch.stack(noises), torch.stack(ts)
        pred = self.unet(self.scheduler.add_noise(x0, noise, t), t, self.text_encoder(ids).last_hidden_state).sample
        predicts_v = self.scheduler.config.prediction_type == "v_prediction"
        target = self.scheduler.get_velocity(x0, noise, t) if predicts_v else noise
        count = len(instances)
        loss = functional.mse_loss(pred[:count], target[:count])
        if priors:
            loss = loss + self.config.prior_loss.weight * functional.mse_loss(pred[count:], target[count:])
        return loss


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("class_pictures", [0, 1])
@pytest.mark.parametrize("offset_noise", [0.0, 0.1])
def test_one_step_has_the_loss_and_gradients_of_the_reference(
    tmp_path: Path, prediction_type: str, class_pictures: int, offset_noise: float
) -> None:
    source = make_tiny_sd1(tmp_path / "source", prediction_type=prediction_type)
    pictures = draw_pictures(tmp_path / "pictures", 3)
    config = quick_config(
        source,
        pictures,
        batch__size=3,
        performance__offset_noise=offset_noise,
        concepts__0__prior__images_per_instance=class_pictures,
    )
    trainer = ready_trainer(config, tmp_path / "run")
    slots = trainer._prepared.batches.step(0)
    figures = first_gradients(trainer)

    concept = trainer._prepared.dataset.concepts[0]
    reference = Reference(source, config)
    loss = reference.loss(
        [concept.instance[slot.instance].path for slot in slots],
        [concept.prior[slot.prior].path for slot in slots if slot.prior is not None],
    )
    loss.backward()  # type: ignore[no-untyped-call]

    assert figures.instance + 0.75 * figures.prior == pytest.approx(loss.item(), rel=1e-5)
    for ours, theirs in (
        (trainer._model.unet, reference.unet),
        (trainer._model.text_encoders["text_encoder"], reference.text_encoder),
    ):
        compare_gradients(ours, theirs)
    everything = [
        p.grad for n in (reference.unet, reference.text_encoder) for p in n.parameters() if p.grad is not None
    ]
    assert figures.norm == pytest.approx(nn.utils.get_total_norm(everything).item(), rel=1e-4)


def compare_gradients(ours: nn.Module, theirs: nn.Module) -> None:
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, name
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-5, msg=name)
