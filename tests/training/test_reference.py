"""Loss and gradients of one step against a computation straight from diffusers' and transformers' classes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from core.config.options import RunConfig
from core.seeds import generator
from tests.tiny import make_tiny, tokenizers_of
from tests.training.runs import draw_pictures, first_gradients, quick_config, ready_trainer

SIDE = 32


class Reference:
    """One DreamBooth step as the paper and diffusers' example have it, with no code of ours but the seeds' rule."""

    def __init__(self, source: Path, config: RunConfig) -> None:
        self.config = config
        self.unet = UNet2DConditionModel.from_pretrained(source / "unet")
        self.vae = AutoencoderKL.from_pretrained(source / "vae")
        self.text_encoders = {"text_encoder": CLIPTextModel.from_pretrained(source / "text_encoder")}
        self.tokenizers = list(tokenizers_of(source).values())
        if (source / "text_encoder_2").exists():
            second = CLIPTextModelWithProjection.from_pretrained(source / "text_encoder_2")
            self.text_encoders["text_encoder_2"] = second
        self.scheduler = DDPMScheduler.from_pretrained(source / "scheduler")

    def loss(self, instances: list[Path], priors: list[Path]) -> Tensor:
        """Of one step of slots 0, 1, … with these pictures."""
        offset = self.config.performance.offset_noise
        x0s, noises, ts, ids = [], [], [], []
        for purpose, paths in (("instance", instances), ("prior", priors)):
            for slot, path in enumerate(paths):
                random = generator(self.config.performance.seed, purpose, 0, slot)
                t = torch.randint(1000, (), generator=random)
                noise = torch.randn(4, 16, 16, generator=random)
                posterior = torch.randn(4, 16, 16, generator=random)
                if offset:
                    noise = noise + offset * torch.randn(4, 1, 1, generator=random)
                image = Image.open(path).convert("RGB")
                ids.append([image.height, image.width, 0, 0, SIDE, SIDE])
                image = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
                pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(SIDE, SIDE, 3)
                encoded = self.vae.encode((pixels.permute(2, 0, 1)[None] / 127.5 - 1).float()).latent_dist
                x0s.append((encoded.mean + encoded.std * posterior)[0].detach() * self.vae.config.scaling_factor)
                noises.append(noise)
                ts.append(t)
        captions = ["a sks dog"] * len(instances) + ["a dog"] * len(priors)
        x0, noise, t = torch.stack(x0s), torch.stack(noises), torch.stack(ts)
        hidden, pooled = self.encode(captions)
        added = {"text_embeds": pooled, "time_ids": torch.tensor(ids).float()} if pooled is not None else None
        noisy = self.scheduler.add_noise(x0, noise, t)
        pred = self.unet(noisy, t, hidden, added_cond_kwargs=added).sample
        predicts_v = self.scheduler.config.prediction_type == "v_prediction"
        target = self.scheduler.get_velocity(x0, noise, t) if predicts_v else noise
        count = len(instances)
        errors = functional.mse_loss(pred, target, reduction="none").mean((1, 2, 3))
        if gamma := self.config.performance.snr_gamma:
            snr = compute_snr(self.scheduler, t)
            limited = torch.stack([snr, gamma * torch.ones_like(t)], dim=1).min(dim=1)[0]
            errors = errors * limited / (snr + 1 if predicts_v else snr)
        loss = errors[:count].mean()
        return loss + self.config.prior_loss.weight * errors[count:].mean() if priors else loss

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor | None]:
        """As the encoders' papers and diffusers' SDXL example have it: side by side, the layers before the last."""
        made = [
            encoder(
                tokenizer(captions, padding="max_length", max_length=77, return_tensors="pt").input_ids,
                output_hidden_states=True,
            )
            for tokenizer, encoder in zip(self.tokenizers, self.text_encoders.values(), strict=True)
        ]
        if len(made) == 1:
            return made[0].last_hidden_state, None
        return torch.cat([one.hidden_states[-2] for one in made], -1), made[1].text_embeds


@pytest.fixture(scope="module")
def source_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Family's id, what the model predicts → a tiny source, made once. Nothing writes into it."""
    return functools.cache(
        lambda family, predicts: make_tiny(family, tmp_path_factory.mktemp(family) / "m", prediction_type=predicts)
    )


@pytest.mark.parametrize(
    "family, prediction_type",
    [
        ("sd1", "epsilon"),
        ("sd1", "v_prediction"),
        ("sd2-base", "epsilon"),
        ("sd2", "v_prediction"),
        ("sdxl", "epsilon"),
    ],
)
@pytest.mark.parametrize("class_pictures", [0, 1])
@pytest.mark.parametrize(("offset_noise", "snr_gamma"), [(0.0, 0.0), (0.1, 0.0), (0.1, 5.0)])
def test_one_step_has_the_loss_and_gradients_of_the_reference(
    tmp_path: Path, source_of: Callable[[str, str], Path], family: str, prediction_type: str, class_pictures: int,
    offset_noise: float, snr_gamma: float,
) -> None:  # fmt: skip
    source = source_of(family, prediction_type)
    pictures = draw_pictures(tmp_path / "pictures", 3)
    config = quick_config(
        source,
        pictures,
        batch__size=3,
        performance__offset_noise=offset_noise,
        performance__snr_gamma=snr_gamma,
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
    networks = {"unet": reference.unet, **reference.text_encoders}
    assert trainer._model.text_encoders.keys() == reference.text_encoders.keys()
    for name, theirs in networks.items():
        compare_gradients(trainer._model.networks[name], theirs)
    everything = [p.grad for network in networks.values() for p in network.parameters() if p.grad is not None]
    assert figures.norm == pytest.approx(nn.utils.get_total_norm(everything).item(), rel=1e-4)


def compare_gradients(ours: nn.Module, theirs: nn.Module) -> None:
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        if expected[name].grad is None:  # of SDXL's first encoder nobody sees the last layer
            assert parameter.grad is None and name.startswith(("encoder.layers.1.", "final_layer_norm.")), name
            continue
        assert parameter.grad is not None, name
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-5, msg=name)
