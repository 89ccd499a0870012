"""Near duplicates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from core.data.alike import alike, likeness
from core.data.scan import scan


def scene(seed: int) -> Image.Image:
    """Something with light and dark in large parts, as photographs have."""
    values = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((320, 240), Image.Resampling.BICUBIC)


def test_the_same_picture_smaller_saved_anew_and_a_little_brighter_is_found(tmp_path: Path) -> None:
    first = scene(1)
    first.save(tmp_path / "a.png")
    first.resize((200, 150)).save(tmp_path / "b.jpg", quality=50)
    ImageEnhance.Brightness(first).enhance(1.05).save(tmp_path / "c.png")
    scene(2).save(tmp_path / "d.png")
    pairs = scan(tmp_path, decode=True).alike
    assert [(one.name, other.name) for one, other in pairs] == [("a.png", "b.jpg"), ("a.png", "c.png"),
                                                                ("b.jpg", "c.png")]  # fmt: skip
    assert scan(tmp_path, decode=False).alike == ()


def test_a_small_thing_that_moved_is_the_same_and_another_scene_is_not() -> None:
    before, after = scene(3), scene(3)
    ImageDraw.Draw(after).ellipse((100, 100, 112, 112), fill="white")
    assert likeness(before).is_near(likeness(after))
    assert not any(likeness(scene(one)).is_near(likeness(scene(other)))
                   for one in range(20) for other in range(one))  # fmt: skip


def test_the_same_shapes_in_another_colour_are_another_picture() -> None:
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("#a01010", "#1010a0"))
    assert not likeness(red).is_near(likeness(blue))


def test_so_many_pictures_are_not_all_compared() -> None:
    same = likeness(scene(1))
    assert len(alike([(Path(str(number)), same) for number in range(3)])) == 3
    assert len(alike([(Path(str(number)), same) for number in range(1002)])) == 1000 * 999 // 2
