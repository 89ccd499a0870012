from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from core.data import scan as scanning
from core.data.scan import scan
from core.texts import UserError


def picture(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "red").save(path, format="PNG")
    return path


def names(directory: Path, **options: bool) -> list[str]:
    found = scan(directory, **({"decode": False} | options))
    return [str(each.path.relative_to(directory)) for each in found.pictures]


def test_pictures_are_found_in_subfolders_sorted_by_bytes(tmp_path: Path) -> None:
    for name in ("b.png", "B.png", "ä.png", "a/z.png", "a.png", "a/b/c.png", "10.png", "9.png"):
        picture(tmp_path / name)
    assert names(tmp_path) == ["10.png", "9.png", "B.png", "a.png", "a/b/c.png", "a/z.png", "b.png", "ä.png"]


def test_the_order_is_that_of_bytes_and_not_of_characters(tmp_path: Path) -> None:
    picture(tmp_path / "x.png").rename(tmp_path / os.fsdecode(b"\xf0.png"))
    picture(tmp_path / "Ａ.png")
    assert [os.fsencode(name)[0] for name in names(tmp_path)] == [0xEF, 0xF0]


def test_names_may_be_any_bytes(tmp_path: Path) -> None:
    picture(tmp_path / "x.png").rename(tmp_path / os.fsdecode(b"\xe4.png"))
    picture(tmp_path / "x.png").rename(tmp_path / os.fsdecode(b"\xc3\xa4.png"))
    picture(tmp_path / "line\nbreak.png")
    Path(tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"no")
    found = scan(tmp_path, decode=True)
    assert [os.fsencode(each.path.name) for each in found.pictures] == [
        b"line\nbreak.png",
        b"\xc3\xa4.png",
        b"\xe4.png",
    ]
    (refused,) = found.refused
    assert "\\xff.png" in str(refused.reason)
    str(refused.reason).encode()


def test_size_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "x.jpg", exif=exif)
    for decode in (False, True):
        (found,) = scan(tmp_path, decode=decode).pictures
        assert (found.width, found.height) == (30, 40)


def test_captions_masks_and_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "x.png")
    picture(tmp_path / "x-mask.png")
    picture(tmp_path / ".hidden.png")
    picture(tmp_path / ".thumbnails/x.png")
    (tmp_path / "x.txt").write_text("a caption")
    (tmp_path / "notes.md").write_text("notes")
    (tmp_path / "x.svg").write_text("<svg/>")
    found = scan(tmp_path, decode=True)
    assert names(tmp_path) == ["x.png"]
    assert found.pictures[0].caption_file == tmp_path / "x.txt"
    assert not found.refused


def test_what_people_keep_beside_their_pictures_is_passed_over_but_damage_never(tmp_path: Path) -> None:
    whole = picture(tmp_path / "whole")
    for name in ("README", "Makefile", "film.mp4", "Thumbs.db"):
        (tmp_path / name).write_text("words")
    (tmp_path / "cut").write_bytes(picture(tmp_path / "x.png", (400, 300)).read_bytes()[:60])
    (tmp_path / "x.png").write_text("words")
    found = scan(tmp_path, decode=True)
    assert [each.path for each in found.pictures] == [whole]
    assert [each.path.name for each in found.refused] == ["cut", "x.png"]


def test_a_caption_belongs_to_the_picture_beside_it(tmp_path: Path) -> None:
    for name in ("a.b.png", "c.png", "d/c.jpg"):
        picture(tmp_path / name)
    (tmp_path / "a.b.txt").touch()
    (tmp_path / "a.txt").touch()
    (tmp_path / "d/c.txt").touch()
    captions = [each.caption_file for each in scan(tmp_path, decode=False).pictures]
    assert captions == [tmp_path / "a.b.txt", None, tmp_path / "d/c.txt"]


def test_bad_files_are_listed_with_their_reasons_beside_good_ones(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    cut = picture(tmp_path / "cut.jpg", (300, 300))
    cut.write_bytes(cut.read_bytes()[:-300])
    (tmp_path / "page.png").write_text("<html>")
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken.png").symlink_to("nowhere")
    (tmp_path / "itself.png").symlink_to("itself.png")
    codes = {each.path.name: each.reason.code for each in scan(tmp_path, decode=True).refused}
    assert codes == {
        "cut.jpg": "picture.cut-short", "page.png": "picture.format", "photo.heic": "picture.damaged",
        "pipe": "picture.not-a-file", "broken.png": "picture.unreadable", "itself.png": "picture.unreadable",
    }  # fmt: skip
    assert names(tmp_path, decode=True) == ["good.png"]


def test_without_decoding_only_headers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in ("jpg", "png", "webp", "gif", "tif", "bmp", "avif"):
        picture(tmp_path / f"x.{suffix}")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("a picture was decoded"))
    found = scan(tmp_path, decode=False)
    assert len(found.pictures) == 7 and not found.refused


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    picture(tmp_path / "set/a.png")
    picture(tmp_path / "elsewhere/b.png")
    (tmp_path / "set/up").symlink_to("..")
    (tmp_path / "set/here").symlink_to(".")
    (tmp_path / "set/c.png").symlink_to("../elsewhere/b.png")
    assert names(tmp_path / "set") == ["a.png", "c.png", "up/elsewhere/b.png"]


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    found = scan(tmp_path, decode=True)
    assert found.pictures == found.refused == ()


@pytest.mark.parametrize(
    ("name", "code"),
    [("missing", "pictures.missing"), ("file", "pictures.not-a-folder"), ("file/x", "pictures.unreadable"),
     ("nul\0", "pictures.unreadable"), ("x" * 300, "pictures.unreadable")],
)  # fmt: skip
def test_folders_that_cannot_be_read_are_user_errors(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        scan(tmp_path / name, decode=False)
    assert caught.value.code == code


def test_a_folder_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "locked/b.png")
    listing = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = scan(tmp_path, decode=False)
    assert len(found.pictures) == 1
    assert [each.path.name for each in found.refused] == ["locked"]
    with pytest.raises(UserError) as caught:
        scan(tmp_path / "locked", decode=False)
    assert caught.value.code == "pictures.unreadable"


def test_a_whole_disk_chosen_by_mistake_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MOST_FILES", 5)
    for number in range(3):
        picture(tmp_path / f"a/{number}.png")
        picture(tmp_path / f"b/{number}.png")
    with pytest.raises(UserError) as caught:
        scan(tmp_path, decode=False)
    assert caught.value.code == "pictures.too-many-files"


def test_neither_torch_nor_numpy_is_needed_for_headers(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    program = (
        "import sys, pathlib; from core.data.scan import scan; early = 'PIL' in sys.modules;"
        f"scan(pathlib.Path({str(tmp_path)!r}), decode=False);"
        "sys.exit(early or 'torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
