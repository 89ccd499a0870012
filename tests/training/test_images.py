"""What the options of `images` and `cache_latents` do to the steps of a run: each test fails where one is ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image, ImageOps

from core.data.captions import Wording, shuffle_tags
from core.data.pictures import centre_square, open_rgb, to_array
from core.data.sizes import Size
from core.data.views import View
from core.events import Done, Sample
from core.texts import UserError
from core.training.batches import Batch
from core.training.loss import add_noise, target_of
from core.training.passes import Portion
from core.training.trainer import Trainer
from tests.tiny import make_tiny_sd1
from tests.training.runs import draw_pictures, final_weights, quick_config, ready_trainer, run_to_end


def noise_picture(path: Path, width: int, height: int, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=numpy.uint8)
    Image.fromarray(pixels).save(path)
    return path


def batch_of(trainer: Trainer, step: int) -> Batch:
    prepared = trainer._prepared
    slots = prepared.batches.step(step)
    return prepared.assembler.batch(step, Portion(len(slots)).passes(slots)[0])


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four wide pictures and two tall ones."""
    folder = tmp_path_factory.mktemp("shapes")
    for number in range(4):
        noise_picture(folder / f"wide-{number}.png", 96, 32, number)
    for number in range(2):
        noise_picture(folder / f"tall-{number}.png", 32, 96, 10 + number)
    return folder


BUCKETS: dict[str, Any] = {"images__buckets": True, "batch__size": 2, "performance__text_encoder_ratio": 0}


def test_buckets_train_each_picture_at_its_shape_with_class_pictures_cut_to_it(
    tmp_path: Path, tiny_sd1: Path, shapes: Path
) -> None:
    config = quick_config(tiny_sd1, shapes, concepts__0__prior__images_per_instance=1, **BUCKETS)
    trainer = ready_trainer(config, tmp_path / "run")
    assert trainer._prepared.batches.steps_per_epoch == 3
    seen = []
    for step in range(3):
        batch = batch_of(trainer, step)
        height, width = batch.x0.shape[-2:]
        seen.append((height, width))
        assert batch.noise.shape == batch.x0.shape == (4, 4, height, width)
        assert batch.geometry[:, 4:].tolist() == [[2 * height, 2 * width]] * 4
        own = [[32, 96]] * 2 if width > height else [[96, 32]] * 2
        assert batch.geometry[:, :2].tolist() == [*own, [32, 32], [32, 32]]
    assert sorted(seen) == [(8, 24), (8, 24), (24, 8)]


def test_a_run_in_buckets_of_two_concepts_ends_and_resumes_to_the_same_weights(
    tmp_path: Path, tiny_sd1: Path, shapes: Path, pictures: Path
) -> None:
    other = {
        "concepts__1__instance__directory": str(pictures), "concepts__1__instance__identifier": "ohwx",
        "concepts__1__instance__class_noun": "cat", "concepts__1__instance__repeats": 2,
        "concepts__1__sample__count": 0, "intervals__validate_every_steps": 3,
    }  # fmt: skip
    run_to_end(quick_config(tiny_sd1, shapes, **BUCKETS, **other), tmp_path / "whole")
    half = quick_config(tiny_sd1, shapes, **BUCKETS, **other, intervals__max_steps=3)
    run_to_end(half, tmp_path / "parts")
    run_to_end(quick_config(tiny_sd1, shapes, **BUCKETS, **other), tmp_path / "parts", resume=True)
    assert final_weights(tmp_path / "parts") == final_weights(tmp_path / "whole")


LIVE: dict[str, Any] = {"performance__cache_latents": False, "performance__text_encoder_ratio": 0}


def test_latents_encoded_at_each_step_are_those_of_the_cache(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    cached = ready_trainer(quick_config(tiny_sd1, pictures), tmp_path / "cached")
    live = ready_trainer(quick_config(tiny_sd1, pictures, **LIVE), tmp_path / "live")
    assert (tmp_path / "cached" / "cache").exists() and not (tmp_path / "live" / "cache").exists()
    for step in range(3):
        torch.testing.assert_close(batch_of(live, step).x0, batch_of(cached, step).x0, rtol=1e-4, atol=1e-5)


def test_without_the_cache_previews_leave_the_vae_where_steps_need_it(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = ready_trainer(quick_config(tiny_sd1, pictures, **LIVE), tmp_path / "live")
    moved: list[str] = []
    vae = trainer._model.vae
    monkeypatch.setattr(vae, "to", lambda device: moved.append(str(device)))
    with trainer._model.vae_on(torch.device("cpu")):
        pass
    assert moved[-1] == str(next(vae.parameters()).device)


def test_random_crops_are_another_part_each_time_and_told(tmp_path: Path, tiny_sd1: Path) -> None:
    noise_picture(tmp_path / "wide" / "a.png", 128, 32)
    config = quick_config(tiny_sd1, tmp_path / "wide", images__crop="random", intervals__epochs=9, **LIVE)
    trainer = ready_trainer(config, tmp_path / "run")
    lefts = [batch_of(trainer, step).geometry[0, 3].item() for step in range(8)]
    assert len(set(lefts)) > 4 and all(0 <= left <= 96 for left in lefts)
    again = ready_trainer(config, tmp_path / "again")
    for step in (0, 5):
        assert torch.equal(batch_of(again, step).x0, batch_of(trainer, step).x0)
    still = ready_trainer(quick_config(tiny_sd1, tmp_path / "wide", **LIVE), tmp_path / "still")
    assert {batch_of(still, step).geometry[0, 3].item() for step in range(2)} == {48.0}


def test_about_half_of_the_pictures_are_mirrored(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    epochs = {"intervals__epochs": 10}
    plain = ready_trainer(quick_config(tiny_sd1, pictures, **epochs), tmp_path / "plain")
    config = quick_config(tiny_sd1, pictures, images__horizontal_flip=True, **epochs)
    flipping = ready_trainer(config, tmp_path / "flipping")
    same = [torch.equal(batch_of(plain, step).x0, batch_of(flipping, step).x0) for step in range(40)]
    assert 10 < sum(same) < 30
    item = flipping._prepared.dataset.items[0]
    mirrored = ImageOps.mirror(centre_square(open_rgb(item.path), 32))
    expected, _ = flipping._model.encode_image(torch.from_numpy(to_array(mirrored))[None])
    view = View(item, Size(32, 32), mirrored=True)
    drawn = flipping._prepared.assembler._latents.draw([view], torch.zeros(1, 4, 16, 16))
    torch.testing.assert_close(drawn, expected * flipping._model.scaling_factor)


@pytest.mark.parametrize("ratio", [0, 1])
def test_this_share_of_captions_is_left_out_whether_or_not_the_text_encoder_trains(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, ratio: float
) -> None:
    config = quick_config(tiny_sd1, pictures, images__caption_dropout=0.5, performance__text_encoder_ratio=ratio,
                          intervals__epochs=10)  # fmt: skip
    trainer = ready_trainer(config, tmp_path / "run")
    conditioning = trainer._prepared.conditioning
    with torch.no_grad():
        empty = trainer._model.encode_text(trainer._model.tokenize([""])).hidden
        hidden = [conditioning.of(batch_of(trainer, step).wordings).hidden for step in range(40)]
    dropped = [torch.allclose(one, empty, atol=1e-5) for one in hidden]
    assert 10 < sum(dropped) < 30


@pytest.mark.parametrize("ratio", [0, 1])
def test_tags_come_in_another_order_each_time_and_the_first_stays(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, ratio: float
) -> None:
    prompt = "{identifier} {class}, one, two, three, four, five"
    config = quick_config(tiny_sd1, pictures, images__shuffle_tags=True, performance__text_encoder_ratio=ratio,
                          intervals__epochs=10, concepts__0__instance__prompt=prompt)  # fmt: skip
    trainer = ready_trainer(config, tmp_path / "run")
    conditioning, texts = trainer._prepared.conditioning, []
    for step in range(40):
        wordings = batch_of(trainer, step).wordings
        texts += [conditioning.text(wording) for wording in wordings]
        with torch.no_grad():
            said = trainer._model.encode_text(trainer._model.tokenize(texts[-1:])).hidden
            torch.testing.assert_close(conditioning.of(wordings).hidden, said, rtol=1e-4, atol=1e-5)
    assert all(text.startswith("sks dog, ") for text in texts)
    tags = {tag for text in texts for tag in text.split(", ")}
    assert tags == {"sks dog", "one", "two", "three", "four", "five"}
    assert all(len(text.split(", ")) == 6 for text in texts)
    assert 8 < len(set(texts)) <= (16 if ratio == 0 else 40)
    assert conditioning.text(Wording(0)) == "sks dog, one, two, three, four, five"


def test_a_text_without_tags_is_not_changed_by_shuffling() -> None:
    assert shuffle_tags("a sks dog", 3) == "a sks dog"
    assert {shuffle_tags("a, b, c", seed) for seed in range(20)} == {"a, b, c", "a, c, b"}


def masked(tmp_path: Path, white: tuple[int, int, int, int]) -> Path:
    folder = draw_pictures(tmp_path / "masked", 1, side=32)
    mask = Image.new("L", (32, 32))
    mask.paste(255, white)
    mask.save(folder / "0-mask.png")
    return folder


def test_a_mask_weighs_the_loss_and_is_divided_by_its_mean(tmp_path: Path, tiny_sd1: Path) -> None:
    folder = masked(tmp_path, (0, 0, 9, 32))
    config = quick_config(tiny_sd1, folder, images__mask=True, performance__text_encoder_ratio=0)
    trainer = ready_trainer(config, tmp_path / "run")
    batch, model = batch_of(trainer, 0), trainer._model
    expected = torch.zeros(1, 1, 16, 16)
    expected[..., :4], expected[..., 4] = 1, 0.5  # pixel 8 is half of the fifth column of latents
    assert batch.mask is not None
    torch.testing.assert_close(batch.mask, expected)
    with torch.no_grad():
        x = add_noise(model.schedule, batch.x0, batch.noise, batch.t)
        cond = model.conditioning(trainer._prepared.conditioning.of(batch.wordings), batch.geometry)
        pred = model.denoise(x, batch.t, cond)
        errors = (pred - target_of(model.schedule, batch.x0, batch.noise, batch.t)) ** 2
    loss = (errors * expected).sum() / (expected.sum() * 4)
    figures = trainer._gradients.of(0, trainer._prepared.batches.step(0), 0.0)
    assert figures.instance == pytest.approx(loss.item(), rel=1e-5)
    assert figures.instance != pytest.approx(errors.mean().item(), rel=1e-3)


def test_masks_count_only_where_they_are_asked_for_and_never_for_class_pictures(tmp_path: Path, tiny_sd1: Path) -> None:
    folder = masked(tmp_path, (0, 0, 16, 32))
    plain = ready_trainer(quick_config(tiny_sd1, folder), tmp_path / "plain")
    assert batch_of(plain, 0).mask is None
    own = masked(tmp_path / "class", (0, 0, 16, 32))
    config = quick_config(tiny_sd1, folder, images__mask=True, concepts__0__prior__images_per_instance=1,
                          concepts__0__prior__directory=str(own))  # fmt: skip
    mask = batch_of(ready_trainer(config, tmp_path / "run"), 0).mask
    assert mask is not None and mask[0].mean() == 0.5 and mask[1].min() == 1


def test_what_is_transparent_is_masked_too_and_mirrored_with_its_picture(tmp_path: Path, tiny_sd1: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    picture = Image.new("RGBA", (32, 32), (200, 30, 30, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 16, 32))
    picture.save(folder / "a.png")
    config = quick_config(tiny_sd1, folder, images__mask=True, images__horizontal_flip=True, intervals__epochs=12)
    trainer = ready_trainer(config, tmp_path / "run")
    halves = set()
    for step in range(12):
        mask = batch_of(trainer, step).mask
        assert mask is not None and mask.mean() == 0.5
        halves.add((mask[..., :8].mean().item(), mask[..., 8:].mean().item()))
    assert halves == {(0.0, 1.0), (1.0, 0.0)}


def test_a_mask_that_leaves_nothing_is_refused_by_name(tmp_path: Path, tiny_sd1: Path) -> None:
    folder = masked(tmp_path, (0, 0, 0, 0))
    with pytest.raises(UserError) as caught:
        ready_trainer(quick_config(tiny_sd1, folder, images__mask=True), tmp_path / "run")
    assert caught.value.code == "picture.mask-empty" and "0.png" in str(caught.value)


def test_the_plan_that_is_shown_is_the_plan_that_is_trained(tmp_path: Path, tiny_sd1: Path, shapes: Path) -> None:
    trainer = ready_trainer(quick_config(tiny_sd1, shapes, **BUCKETS), tmp_path / "run")
    plan, batches = trainer._plan, trainer._prepared.batches
    assert (plan.steps_per_epoch, plan.samples_per_epoch) == (batches.steps_per_epoch, batches.samples_per_epoch)
    assert {bucket.size for bucket in plan.buckets} == {Size(16, 48), Size(48, 16)}


def test_clip_skip_changes_what_the_unet_is_given(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    hidden = []
    for skip in (1, 2):
        config = quick_config(tiny_sd1, pictures, model__clip_skip=skip, performance__text_encoder_ratio=0)
        trainer = ready_trainer(config, tmp_path / str(skip))
        hidden.append(trainer._prepared.conditioning.of([Wording(0)]).hidden)
    assert not torch.allclose(hidden[0], hidden[1], atol=1e-2)


def test_with_clip_skip_the_text_encoder_trains_to_the_layer_that_is_used(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, model__clip_skip=2, performance__text_encoder_ratio=1)
    assert isinstance(run_to_end(config, tmp_path / "run")[-1], Done)


def test_another_vae_makes_other_latents(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    other = make_tiny_sd1(tmp_path / "other", seed=9)
    own = ready_trainer(quick_config(tiny_sd1, pictures), tmp_path / "own")
    changed = ready_trainer(quick_config(tiny_sd1, pictures, model__vae=str(other / "vae")), tmp_path / "changed")
    assert not torch.allclose(batch_of(own, 0).x0, batch_of(changed, 0).x0, atol=1e-2)
    names = [{file.name for file in (tmp_path / run / "cache").iterdir()} for run in ("own", "changed")]
    assert not names[0] & names[1]


def test_each_line_of_a_prompt_file_is_previewed(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a {identifier} {class} on a hill\n\nportrait of {identifier}, [filewords]\n")
    config = quick_config(
        tiny_sd1, pictures, concepts__0__sample__template_file=str(tmp_path / "prompts.txt"),
        concepts__0__sample__count=2, intervals__max_steps=1, intervals__sample_every_steps=1,
    )  # fmt: skip
    events = run_to_end(config, tmp_path / "run")
    shown = [(event.prompt, event.seed) for event in events if isinstance(event, Sample)]
    assert shown == [
        ("a sks dog on a hill", 5),
        ("a sks dog on a hill", 6),
        ("portrait of sks", 5),
        ("portrait of sks", 6),
    ]
