from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core.data import caches
from core.data.caches import LatentCache, LatentTable, TextCache
from core.data.dataset import Item
from core.data.pictures import centre_square, open_rgb, to_array
from core.data.sizes import Size, square
from core.data.views import View
from core.texts import UserError

CPU = torch.device("cpu")
SIDE = 16


class Encoder:
    """A VAE of sorts: 2 × 2 means and deviations, and how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        assert not torch.is_grad_enabled()
        mean = torch.nn.functional.avg_pool2d(pixels, pixels.shape[-1] // 2)
        return mean, mean.abs() + 0.5


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = []
    for number in range(4):
        values = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(values).save(paths[-1])
    return paths


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


Make = Callable[..., LatentCache]


@pytest.fixture
def make(tmp_path: Path, encoder: Encoder) -> Make:
    return lambda key="vae", encode=encoder: LatentCache(tmp_path / "cache", encode, key, scaling=0.5)


def seen(paths: list[Path], side: int = SIDE, *, mirrored: bool = False) -> list[View]:
    return [View(Item(path, "", 30, 20), square(side), mirrored) for path in paths]


def fill(cache: LatentCache, paths: list[Path], side: int = SIDE) -> list[tuple[int, int]]:
    return list(cache.prepare(seen(paths, side)))


def expected(paths: list[Path]) -> tuple[Tensor, Tensor]:
    pixels = torch.stack([torch.from_numpy(to_array(centre_square(open_rgb(path), SIDE))) for path in paths])
    with torch.no_grad():
        return Encoder()(pixels)


def test_rows_are_the_moments_of_the_pictures_in_their_order(make: Make, pictures: list[Path]) -> None:
    cache = make()
    fill(cache, pictures)
    order = [pictures[place] for place in (2, 0, 2, 3)]
    table = cache.load(seen(order), CPU)
    mean, std = expected(order)
    assert torch.allclose(table.mean, mean) and torch.allclose(table.std, std)
    assert table.shape == (3, 2, 2)


def test_progress_counts_what_is_missing(make: Make, pictures: list[Path]) -> None:
    assert fill(make(), pictures[:1]) == [(0, 1), (1, 1)]
    assert fill(make(), pictures) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert fill(make(), pictures) == []


def test_only_missing_pictures_are_encoded(make: Make, pictures: list[Path], encoder: Encoder) -> None:
    fill(make(), pictures)
    fill(make(), pictures)
    assert encoder.calls == 4


def test_pictures_are_known_by_content(make: Make, pictures: list[Path], encoder: Encoder) -> None:
    fill(make(), pictures)
    renamed = pictures[0].rename(pictures[0].with_name("renamed.png"))
    copy = renamed.with_name("copy.png")
    copy.write_bytes(renamed.read_bytes())
    fill(make(), [renamed, copy])
    assert encoder.calls == 4
    Image.new("RGB", (30, 30)).save(pictures[1])
    cache = make()
    fill(cache, pictures[1:2])
    assert encoder.calls == 5
    assert torch.equal(cache.load(seen(pictures[1:2]), CPU).mean, torch.full((1, 3, 2, 2), -1.0))


def test_another_side_and_another_vae_are_encoded_anew(make: Make, pictures: list[Path], encoder: Encoder) -> None:
    fill(make(), pictures)
    fill(make(), pictures, side=8)
    fill(make("another"), pictures)
    assert encoder.calls == 12


def test_a_mirrored_picture_and_another_bucket_have_files_of_their_own(
    make: Make, pictures: list[Path], encoder: Encoder
) -> None:
    cache = make()
    item = Item(pictures[0], "", 30, 20)
    views = [View(item, square(16)), View(item, square(16), mirrored=True), View(item, Size(16, 24))]
    assert len(list(cache.prepare(views))) == 4 and encoder.calls == 3
    plain, mirrored = cache.load(views[:2], CPU).mean
    assert torch.allclose(mirrored, plain.flip(-1), atol=1e-5) and not torch.allclose(mirrored, plain, atol=1e-2)


def test_a_random_cut_is_never_cached(make: Make, pictures: list[Path]) -> None:
    with pytest.raises(ValueError, match="another one each time"):
        list(make().prepare([View(Item(pictures[0], "", 30, 20), square(16), place=0.5)]))


def test_a_killed_cache_goes_on_with_the_same_bits(make: Make, pictures: list[Path], tmp_path: Path) -> None:
    going = make().prepare(seen(pictures))
    for _ in range(3):
        next(going)
    going.close()
    (tmp_path / "cache" / ".staging-left-over").write_bytes(b"torn")
    cache = make()
    assert fill(cache, pictures)[0] == (0, 2)
    clean = LatentCache(tmp_path / "clean", Encoder(), "vae", scaling=0.5)
    fill(clean, pictures)
    assert torch.equal(cache.load(seen(pictures), CPU).mean, clean.load(seen(pictures), CPU).mean)
    assert sorted(file.name for file in (tmp_path / "cache").iterdir()) == sorted(
        file.name for file in (tmp_path / "clean").iterdir()
    )


def flip_a_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [flip_a_bit, lambda content: content[:-5], lambda content: b"", lambda _: b"no"])
def test_a_damaged_file_is_encoded_again_and_the_log_says_so(
    make: Make, pictures: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, encoder: Encoder,
    damage: Callable[[bytes], bytes],
) -> None:  # fmt: skip
    fill(make(), pictures)
    file = sorted((tmp_path / "cache").iterdir())[0]
    file.write_bytes(damage(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        cache = make()
        assert fill(cache, pictures) == [(0, 1), (1, 1)]
    assert file.name in caplog.text
    assert encoder.calls == 5
    assert torch.allclose(cache.load(seen(pictures), CPU).mean, expected(pictures)[0])


def test_damage_after_preparing_is_never_trained_on(make: Make, pictures: list[Path], tmp_path: Path) -> None:
    cache = make()
    fill(cache, pictures)
    file = sorted((tmp_path / "cache").iterdir())[0]
    file.write_bytes(flip_a_bit(file.read_bytes()))
    with pytest.raises(UserError) as caught:
        cache.load(seen(pictures), CPU)
    assert caught.value.code == "latents.damaged"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_never_cached(make: Make, pictures: list[Path], tmp_path: Path, value: float) -> None:
    cache = make(encode=lambda pixels: (torch.zeros(1, 4, 2, 2), torch.full((1, 4, 2, 2), value)))
    with pytest.raises(UserError) as caught:
        fill(cache, pictures)
    assert caught.value.code == "latents.not-finite"
    assert not list((tmp_path / "cache").iterdir())


def test_a_picture_that_vanished_is_named(make: Make, pictures: list[Path]) -> None:
    pictures[2].unlink()
    with pytest.raises(UserError) as caught:
        fill(make(), pictures)
    assert "2.png" in str(caught.value)


def test_a_full_disk_is_named(make: Make, pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches, "write_atomic", full)
    with pytest.raises(UserError) as caught:
        fill(make(), pictures)
    assert caught.value.code == "disk.full"


def table_of(rows: int) -> LatentTable:
    moments = torch.arange(rows * 3 * 4, dtype=torch.float32).reshape(rows, 3, 2, 2)
    return LatentTable(moments, moments / 10 + 1, 0.5, CPU)


@pytest.mark.parametrize("form", [list, torch.tensor])
def test_a_draw_is_mean_plus_std_times_noise_scaled(form: Callable[[list[int]], Tensor]) -> None:
    table = table_of(5)
    noise = torch.randn(3, 3, 2, 2)
    drawn = table.draw(form([4, 0, 4]), noise)
    for row, place in enumerate((4, 0, 4)):
        assert torch.allclose(drawn[row], (table.mean[place] + table.std[place] * noise[row]) * 0.5)


def test_a_draw_changes_nothing_in_the_table() -> None:
    table = table_of(2)
    before = table.mean.clone()
    table.draw([0, 1], torch.randn(2, 3, 2, 2)).zero_()
    assert torch.equal(table.mean, before)


def test_a_draw_never_makes_the_host_wait_for_indices() -> None:
    with pytest.raises(ValueError, match="wait"):
        table_of(2).draw(torch.zeros(1, dtype=torch.long, device="meta"), torch.zeros(1, 3, 2, 2))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("room", [0, 10**9])
def test_on_a_gpu_nothing_waits_wherever_the_table_lies(make: Make, pictures: list[Path], room: int) -> None:
    cache = make()
    fill(cache, pictures)
    table = cache.load(seen(pictures), torch.device("cuda"), room=room)
    assert table.mean.is_cuda == table.std.is_cuda == bool(room)
    assert table.mean.is_pinned() == table.std.is_pinned() == (not room)
    noise = torch.randn(2, 3, 2, 2, device="cuda")
    table.draw([3, 1], noise)
    torch.cuda.set_sync_debug_mode("error")
    try:
        drawn = table.draw([3, 1], noise)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    mean, std = expected([pictures[3], pictures[1]])
    assert torch.allclose(drawn.cpu(), (mean + std * noise.cpu()) * 0.5)


def encode_text(asked: list[str]) -> Callable[[str], dict[str, Tensor]]:
    def encode(caption: str) -> dict[str, Tensor]:
        asked.append(caption)
        assert not torch.is_grad_enabled()
        return {"hidden": torch.full((1, 7, 2), float(len(caption))), "pooled": torch.tensor([[float(len(caption))]])}

    return encode


def test_captions_are_encoded_once_and_one_at_a_time() -> None:
    asked: list[str] = []
    cache = TextCache(encode_text(asked), CPU)
    cache.prepare(["a", "bbb", "a", ""])
    cache.prepare(["bbb", "cc"])
    cache.prepare([])
    assert asked == ["a", "bbb", "", "cc"]


def test_embeddings_come_one_row_a_caption_in_their_order() -> None:
    cache = TextCache(encode_text([]), CPU)
    cache.prepare(["a", "bbb"])
    cache.prepare(["cc"])
    found = cache.embeddings(["cc", "a", "cc", "bbb"])
    assert found["hidden"].shape == (4, 7, 2)
    assert found["hidden"][:, 0, 0].tolist() == found["pooled"][:, 0].tolist() == [2, 1, 2, 3]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("room", [0, 10**9])
def test_embeddings_that_are_too_many_for_the_gpu_stay_on_the_host_and_nothing_waits(room: int) -> None:
    cache = TextCache(encode_text([]), torch.device("cuda"))
    cache.prepare(["a", "bbb"], room=room)
    cache.embeddings(["bbb"])
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = cache.embeddings(["bbb", "a"])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert found["hidden"].is_cuda and found["hidden"][:, 0, 0].tolist() == [3, 1]
