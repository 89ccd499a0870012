from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.demo.recipe.pictures import SIDE, render, render_pictures
from core.demo.recipe.words import NOUNS
from core.demo.source import PICTURES

COUNTS = {"subject": 6, "face": 6, "style": 8}
SOURCES = sorted(PICTURES.glob("*/*.svg"))


@pytest.mark.parametrize("folder", COUNTS)
def test_each_folder_has_its_number_of_pictures_each_with_its_source(folder: str) -> None:
    names = {suffix: sorted(path.stem for path in (PICTURES / folder).glob(f"*.{suffix}")) for suffix in ("svg", "png")}
    assert len(names["png"]) == COUNTS[folder]
    assert names["png"] == names["svg"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_pictures_are_small_rgb_squares_and_their_sources_short(source: Path) -> None:
    with Image.open(source.with_suffix(".png")) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (SIDE, SIDE))
    assert source.stat().st_size < 6 * 1024


def test_style_pictures_and_only_they_have_captions_of_a_noun_with_its_article() -> None:
    captions = {path.stem: path.read_text().rstrip("\n") for path in (PICTURES / "style").glob("*.txt")}
    assert sorted(captions) == sorted(path.stem for path in (PICTURES / "style").glob("*.png"))
    assert all(re.fullmatch(r"an? [a-z ]+", caption) for caption in captions.values()), captions
    assert not [path for path in PICTURES.glob("*/*.txt") if path.parent.name != "style"]


def test_the_words_of_the_captions_are_known_to_the_embedded_model() -> None:
    known = {word for noun in NOUNS for word in noun.phrase.split()} | {"a", "an"}
    for caption in (PICTURES / "style").glob("*.txt"):
        assert set(caption.read_text().split()) <= known, caption.name


def test_no_two_pictures_of_the_subject_or_the_face_stand_on_like_backgrounds() -> None:
    for folder in ("subject", "face"):
        grounds = []
        for path in sorted((PICTURES / folder).glob("*.png")):
            pixels = np.asarray(Image.open(path)).astype(float)
            grounds.append(pixels[:24, :12].mean((0, 1)))  # the top left corner is never covered
        apart = [np.abs(one - other).max() for n, one in enumerate(grounds) for other in grounds[:n]]
        assert min(apart) > 40, folder


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_picture_equals_its_source_rendered_anew(source: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py, which renders the sources, is not installed")
    stored = np.asarray(Image.open(source.with_suffix(".png"))).astype(int)
    anew = np.asarray(render(source)).astype(int)
    assert np.abs(stored - anew).max() <= 2  # blurs are rounded otherwise by other processors


def test_rendering_writes_a_png_beside_each_source(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py, which renders the sources, is not installed")
    source = SOURCES[0]
    (tmp_path / "any").mkdir()
    (tmp_path / "any" / "one.svg").write_text(source.read_text())
    assert render_pictures(tmp_path) == [tmp_path / "any" / "one.png"]
    written, stored = (Image.open(path) for path in (tmp_path / "any" / "one.png", source.with_suffix(".png")))
    assert np.abs(np.asarray(written).astype(int) - np.asarray(stored).astype(int)).max() <= 2
