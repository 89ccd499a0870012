from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.data.captions import MOST_BYTES, caption, read_caption, write_caption
from core.data.captions import with_words as worded
from core.data.scan import Picture
from core.texts import UserError


def with_words(path: Path, content: bytes) -> Picture:
    path.write_bytes(content)
    return Picture(path.with_suffix(".png"), 1, 1, path)


def test_identifier_and_class_are_filled_in() -> None:
    assert (
        caption("a photo of {identifier} {class}", Picture(Path("x.png"), 1, 1), "sks", "dog") == "a photo of sks dog"
    )


def test_file_words_come_from_the_text_file(tmp_path: Path) -> None:
    picture = with_words(tmp_path / "x.txt", "\ufeffon a  beach,\r\nin März\n".encode())
    assert caption("{identifier} {class}, [filewords]", picture, "sks", "dog") == "sks dog, on a beach, in März"


@pytest.mark.parametrize(
    ("name", "words"),
    [("001_on the beach.jpg", "on the beach"), ("12 - red_ball.png", "red ball"), ("07.jpg", ""), ("mk2.png", "mk2")],
)
def test_file_words_else_come_from_the_name_without_leading_digits(name: str, words: str) -> None:
    picture = Picture(Path("/somewhere") / name, 1, 1)
    assert caption("a dog [filewords]", picture, "sks", "dog") == f"a dog {words}".strip()


def test_braces_in_file_words_mean_nothing(tmp_path: Path) -> None:
    picture = with_words(tmp_path / "x.txt", b"{class} {0} {} [filewords]")
    assert caption("[filewords]", picture, "sks", "dog") == "{class} {0} {} [filewords]"


def test_words_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    picture = with_words(tmp_path / "x.txt", "schön".encode("latin-1"))
    with pytest.raises(UserError) as caught:
        caption("[filewords]", picture, "sks", "dog")
    assert caught.value.code == "caption.encoding"
    assert "x.txt" in str(caught.value) and "0xf6" in str(caught.value)
    assert caption("a {class}", picture, "sks", "dog") == "a dog"


def test_a_name_that_is_not_utf_8_is_refused_only_where_its_words_are_wanted() -> None:
    picture = Picture(Path(os.fsdecode(b"sch\xf6n.png")), 1, 1)
    assert caption("a {class}", picture, "sks", "dog") == "a dog"
    with pytest.raises(UserError) as caught:
        caption("[filewords]", picture, "sks", "dog")
    assert "sch\\xf6n.png" in str(caught.value)


def test_captions_that_are_no_captions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        caption("[filewords]", with_words(tmp_path / "x.txt", b"a" * (MOST_BYTES + 1)), "sks", "dog")
    assert caught.value.code == "caption.too-long"
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("pipe.txt", "missing.txt"):
        with pytest.raises(UserError) as caught:
            caption("[filewords]", Picture(tmp_path / "x.png", 1, 1, tmp_path / name), "sks", "dog")
        assert name in str(caught.value)


def test_a_caption_is_written_beside_its_picture_in_one_line_and_read_back(tmp_path: Path) -> None:
    picture = tmp_path / "a b.jpg"
    path = write_caption(picture, "  on the\n beach ,  blue ")
    assert path == tmp_path / "a b.txt" and read_caption(path) == "on the beach, blue"
    write_caption(picture, "in the wood")
    assert path.read_text() == "in the wood\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a b.txt"]


def test_nothing_but_a_regular_text_file_beside_it_is_written(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "a.txt").symlink_to(elsewhere)
    (tmp_path / "b.txt").mkdir()
    for name in ("a.png", "b.png"):
        with pytest.raises(UserError) as caught:
            write_caption(tmp_path / name, "new")
        assert caught.value.code == "caption.not-ours"
    assert elsewhere.read_text() == "mine"
    with pytest.raises(UserError):
        write_caption(tmp_path / "c.png", "x" * 70_000)
    with pytest.raises(UserError):
        write_caption(tmp_path / "nowhere" / "d.png", "new")


def test_words_that_are_known_make_the_same_caption_as_the_file(tmp_path: Path) -> None:
    path = write_caption(tmp_path / "x.png", "on {class} grass")
    picture = Picture(tmp_path / "x.png", 8, 8, path)
    template = "a {identifier} {class}, [filewords]"
    assert caption(template, picture, "sks", "dog") == worded(template, "on {class} grass", "sks", "dog")
    assert worded("a {class}", "unused", "sks", "dog") == "a dog"
