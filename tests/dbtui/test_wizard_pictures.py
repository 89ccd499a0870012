"""The pictures of a subject: what is cut off, their captions, the bad ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from textual.widgets import OptionList, Static

from core.config.options import RunConfig
from core.data.captions import file_words
from core.data.scan import scan
from core.data.sizes import Size
from core.planning.facts import Facts
from dbtui.app import DbtuiApp
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.pictures import PicturesScreen, as_meant, drawn
from tests.dbtui.app_driving import FILLED, HOSTILE, at_rest, imagined, open_wizard, row_of, shown, until

PROMPT = "concepts.0.instance.prompt"
WORDY = {**FILLED, PROMPT: "a {identifier} {class}, [filewords]"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pictures, two of them alike, one small, and a file that is none; the survey looks at them really."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size, colour in (("01 beach.png", (1024, 768), "#c04030"), ("02.png", (512, 512), "#208040"),
                               ("03.png", (512, 512), "#208040"), ("04.png", (300, 400), "#3050a0")):  # fmt: skip
        picture = Image.new("RGB", size, colour)
        ImageDraw.Draw(picture).ellipse((20, 20, size[0] // 2, size[1] // 2), fill="#e0d080")
        picture.save(folder / name)
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")

    def look(config: RunConfig, home: Path, *, decode: bool) -> Facts:
        found = scan(folder, decode=decode)
        words = {picture.path: file_words(picture) for picture in found.pictures}
        return replace(imagined(config, home, decode=decode), scans=(found,), words=words)

    monkeypatch.setattr("dbtui.wizard.flow.survey", look)
    return folder


async def opened(pilot: Any, texts: dict[str, str]) -> PicturesScreen:
    screen = await open_wizard(pilot, "concepts", texts)
    assert isinstance(screen, WizardScreen)
    await until(pilot, lambda: screen.check_action("pictures", ()))
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(pilot.app.screen, PicturesScreen) and pilot.app.screen.is_mounted)
    await until(pilot, lambda: not screen.wizard.is_busy and screen.context.looked and screen.context.looked.decoded)
    pictures = pilot.app.screen
    assert isinstance(pictures, PicturesScreen)
    await until(pilot, lambda: pictures.names and pictures.focused is not None)
    return pictures


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_each_picture_says_what_is_cut_off_and_what_is_wrong(
    tmp_path: Path, folder: Path, size: tuple[int, int]
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot, dict(FILLED))
        await until(pilot, lambda: "25% is cut off left and right" in shown(app) and "▀▀" in shown(app))
        assert screen.names == ["01 beach.png", "02.png", "03.png", "04.png", "torn.png"]
        assert "a sks alarm clock" in shown(app)
        await pilot.press("down")
        await until(pilot, lambda: "nearly the same as 03.png" in shown(app) and "nothing is cut off" in shown(app))
        await pilot.press("down", "down")
        await until(pilot, lambda: "smaller than that" in shown(app))
        await pilot.press("down")
        await until(pilot, lambda: "is damaged" in shown(app) or "format" in shown(app))
        await pilot.press("e")
        assert not screen.is_editing, "a file that is no picture has no caption"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen))


async def test_long_names_take_a_line_each_and_the_chosen_one_is_told_whole(tmp_path: Path, folder: Path) -> None:
    for number in range(14):
        name = f"a picture of my dog on the beach in the summer of 2024 number {number:02}.png"
        Image.new("RGB", (64, 64)).save(folder / name)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        pictures = await opened(pilot, WORDY)
        await at_rest(pilot)
        said = shown(app)
        assert all(f"{number:02}.png" in said for number in range(12))
        assert "number 03.png" not in said
        place = next(place for place, name in enumerate(pictures.names) if "03" in name and "dog" in name)
        pictures.query_one("#names", OptionList).highlighted = place
        await until(pilot, lambda: "number 03.png" in " ".join(shown(app).split()) or "03.png" in shown(app))
        about = pictures.query_one("#about", Static).visual.plain  # type: ignore[attr-defined]
        assert about.startswith(pictures.names[place])


async def test_the_list_of_thousands_is_made_from_one_reading_of_the_names(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, dict(FILLED))
        await at_rest(pilot)
        read: list[list[str]] = []
        names = PicturesScreen.names.fget
        assert names is not None
        monkeypatch.setattr(PicturesScreen, "names", property(lambda self: read.append(names(self)) or read[-1]))
        screen.pictures *= 100
        assert len(screen._list()) == 401 and len(read) == 1


async def test_a_caption_is_edited_in_place_and_shows_what_it_becomes(tmp_path: Path, folder: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, WORDY)
        await until(pilot, lambda: "a sks alarm clock, beach" in shown(app) and "its file name" in shown(app))
        await pilot.press("e", *", at")
        await until(pilot, lambda: "Enter writes the caption" in shown(app))
        await until(pilot, lambda: "a sks alarm clock, beach, at" in shown(app))
        await pilot.press(*" noon", "enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert not list(folder.glob("*.txt")), "it asks before it makes one"
        await pilot.press("m")
        await until(pilot, lambda: (folder / "01 beach.txt").exists() and app.screen is screen)
        assert (folder / "01 beach.txt").read_text() == "beach, at noon\n"
        await until(pilot, lambda: "[filewords] is its .txt: beach, at noon" in shown(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.is_editing)
        await pilot.press(*"tower", "enter")
        await until(pilot, lambda: (folder / "02.txt").exists())
        assert sorted(path.name for path in folder.glob("*.txt")) == ["01 beach.txt", "02.txt"], "asked once"


async def test_words_go_to_the_picture_they_were_typed_for(tmp_path: Path, folder: Path) -> None:
    """A click on another name, or a folder that gained a picture, does not move them to another file."""
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, WORDY)
        names = screen.query_one("#names", OptionList)
        await pilot.press("e", *", at")
        await pilot.click("#names", offset=(2, 2))
        await until(pilot, lambda: names.highlighted == 0)
        Image.new("RGB", (64, 64)).save(folder / "00 first.png")
        screen.wizard.look_again()
        await until(pilot, lambda: screen.names[0] == "00 first.png" and names.highlighted == 1)
        assert screen.is_editing and app.focused is not None and app.focused.id == "caption"
        await pilot.press(*" noon", "enter", "m")
        await until(pilot, lambda: not screen.is_editing)
        assert [path.name for path in folder.glob("*.txt")] == ["01 beach.txt"]
        assert (folder / "01 beach.txt").read_text() == "beach, at noon\n"


async def test_escape_leaves_the_caption_as_it_was_and_a_question_can_be_refused(tmp_path: Path, folder: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, WORDY)
        await pilot.press("e", *"xyz", "escape")
        await until(pilot, lambda: not screen.is_editing and "xyz" not in shown(app))
        assert app.screen is screen
        await pilot.press("e", "x", "enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        assert not list(folder.glob("*.txt"))


async def test_without_filewords_in_the_caption_field_a_pictures_txt_is_said_not_to_be_used(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "01 beach.txt").write_text("on the beach")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, dict(FILLED))
        await until(pilot, lambda: "its .txt is not used" in shown(app))
        await pilot.press("down")
        await until(pilot, lambda: "its .txt is not used" not in shown(app))
        assert "Caption: a sks alarm clock" in shown(app) and "[filewords]" not in shown(app)


@pytest.mark.parametrize(
    ("left_out", "seen"),
    [
        (("identifier", "class_noun"), ("Caption: a {identifier} {class}", "Identifier, Class.")),
        (("class_noun",), ("Caption: a sks {class}", "to be typed: Class.")),
    ],
)
async def test_a_caption_whose_words_are_still_to_be_typed_says_which(
    tmp_path: Path, folder: Path, left_out: tuple[str, ...], seen: tuple[str, ...]
) -> None:
    """Not only its article."""
    texts = {path: text for path, text in FILLED.items() if not path.endswith(left_out)}
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, texts)
        await until(pilot, lambda: all(text in shown(app) for text in seen))


async def test_hostile_names_and_captions_are_only_shown(tmp_path: Path, folder: Path) -> None:
    for number, name in enumerate(HOSTILE):
        if "/" not in name:
            Image.new("RGB", (64, 64)).save(folder / f"{name}{number}.png")
            (folder / f"{name}{number}.txt").write_text(name.replace("\x07", ""))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, WORDY)
        for _ in range(len(screen.names)):
            await pilot.press("down")
            await pilot.pause()
            assert not any(mark in shown(app) for mark in ("\x1b", "\x9b", "\u202e"))
        assert app.screen is screen and app.is_running


@pytest.mark.parametrize(
    ("typed", "before", "meant"),
    [
        (r"a\u200bb", "a\u200bb", "a\u200bb"),
        (r"a\u200bb, at noon\x07", "a\u200bb\x07", "a\u200bb, at noon\x07"),
        (r"a\u200bb, the path C:\x07", "a\u200bb", r"a\u200bb, the path C:\x07".replace(r"\u200b", "\u200b")),
        (r"a\u200bb\u200b", "a\\u200bb\u200b", r"a\u200bb\u200b"),
        ("plain", "plain", "plain"),
    ],
)
def test_what_is_shown_of_invisible_characters_is_not_what_is_written(typed: str, before: str, meant: str) -> None:
    """Escapes that stood for a character of the old text are that character; where it has such words itself, no."""
    assert as_meant(typed, before) == meant


async def test_a_caption_that_nobody_changed_stays_as_it_was(tmp_path: Path, folder: Path) -> None:
    (folder / "01 beach.txt").write_text("a\u200bb  at noon", encoding="utf-8")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, WORDY)
        await pilot.press("e", "enter")
        await until(pilot, lambda: not screen.is_editing)
        assert (folder / "01 beach.txt").read_text() == "a\u200bb  at noon"
        await pilot.press("e", "!", "enter")
        await until(pilot, lambda: not screen.is_editing)
        assert (folder / "01 beach.txt").read_text() == "a\u200bb at noon!\n"


def test_the_large_picture_has_its_frame(tmp_path: Path) -> None:
    Image.new("RGB", (400, 200), (200, 100, 50)).save(tmp_path / "x.png")
    picture = drawn(tmp_path / "x.png", Size(64, 64), (100, 100))
    assert picture.size == (100, 50) and picture.getpixel((5, 25)) == (60, 30, 15)
    assert drawn(tmp_path / "x.png", None, (100, 100)).getpixel((5, 25)) == (200, 100, 50)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 50)], ids=["80x24", "120x36", "160x50"])
def test_the_pictures_look_as_they_did(
    snap_compare: Callable[..., bool], tmp_path: Path, folder: Path, size: tuple[int, int]
) -> None:
    async def prepare(pilot: Any) -> None:
        await opened(pilot, WORDY)
        await pilot.press("e")
        await until(pilot, lambda: "▀▀" in shown(pilot.app) and "25%" in shown(pilot.app))
        pilot.app.screen.query_one("#names", OptionList).refresh()
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path), run_before=prepare, terminal_size=size)


async def test_f2_takes_the_folder_that_was_meant(home: Path, pictures: Path) -> None:
    app = DbtuiApp(home)
    folder, field = "concepts.0.instance.directory", "concepts.0.instance.identifier"
    async with app.run_test(size=(80, 24)) as pilot:
        typed = str(pictures.with_name("pictuers"))
        screen = await open_wizard(pilot, "concepts", FILLED | {folder: typed, field: "sks"})
        row = row_of(screen, folder)
        row.control.focus()
        await until(pilot, lambda: any("Did you mean" in line.text for line in row.state.lines))
        assert "F2: Take" in row.state.lines[1].text
        await pilot.press("f2")
        await until(pilot, lambda: row.text == str(pictures))
        await until(pilot, lambda: "6 pictures" in row.state.lines[0].text)


async def test_a_folder_with_something_wrong_in_it_has_no_tick(tmp_path: Path, folder: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", FILLED)
        row = row_of(screen, "concepts.0.instance.directory")
        assert {line.mark for line in row.state.lines if line.mark} == {"✗", "→", "!"}
        assert any(line.text.startswith("4 pictures") for line in row.state.lines)
        screen.context.edit("concepts.0.instance.leave_out_unreadable", "true")
        screen.show()
        assert "✓" in [line.mark for line in row.state.lines]
