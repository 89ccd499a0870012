"""The list of folders and files from which a field of the wizard can be filled."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from textual.pilot import Pilot

from dbtui.app import DbtuiApp
from dbtui.widgets.guidance import Guidance
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.browse import Browse, Entry, Listing
from tests.dbtui.app_driving import open_wizard, row_of, shown, until

pytestmark = pytest.mark.usefixtures("no_disk")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with a folder of pictures, a folder of weights, and names that a terminal would obey."""
    shelf = tmp_path / "shelf"
    for name in ("clock/1.png", "models/sd.safetensors", "models/notes.txt", ".hidden/x", "evil\x1b]52;c;aGk=\x07/y"):
        path = shelf / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return shelf


async def browse(pilot: Pilot[int], screen: WizardScreen, path: str) -> Listing:
    row_of(screen, path).control.focus()
    await pilot.pause()
    await pilot.press("f7")
    await until(pilot, lambda: isinstance(pilot.app.screen, Browse) and pilot.app.screen.query_one(Listing).options)
    return pilot.app.screen.query_one(Listing)


async def test_f7_chooses_a_folder_from_a_list_and_the_field_takes_it(tmp_path: Path, shelf: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", {"concepts.0.instance.directory": str(shelf / "nowhere")})
        await browse(pilot, screen, "concepts.0.instance.directory")
        await until(pilot, lambda: "clock/" in shown(app))
        assert ".hidden" not in shown(app) and "\x1b" not in shown(app) and "\\x1b]52" in shown(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "1.png" in shown(app))
        await pilot.press("space")
        await until(pilot, lambda: app.screen is screen)
        assert screen.context.text("concepts.0.instance.directory") == str(shelf / "clock")
        assert row_of(screen, "concepts.0.instance.directory").text == str(shelf / "clock")


async def test_the_folder_that_f7_begins_with_is_looked_for_in_a_thread(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = Path.is_dir, []

    def seen(path: Path) -> bool:
        if path == shelf:
            asked.append(threading.current_thread() is threading.main_thread())
        return real(path)

    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", {"concepts.0.instance.directory": str(shelf)})
        monkeypatch.setattr(Path, "is_dir", seen)
        row_of(screen, "concepts.0.instance.directory").control.focus()
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, Browse))
    assert asked and not any(asked)


async def test_a_letter_goes_to_a_name_and_the_way_up_keeps_the_place(tmp_path: Path, shelf: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", {"concepts.0.instance.directory": str(shelf)})
        listing = await browse(pilot, screen, "concepts.0.instance.directory")

        def highlighted() -> Path | None:
            place = listing.highlighted
            entry = listing.get_option_at_index(place) if place is not None else None
            return entry.location if isinstance(entry, Entry) else None

        await until(pilot, lambda: "clock/" in shown(app))
        await pilot.press("m")
        assert highlighted() == shelf / "models"
        await pilot.press("c")
        assert highlighted() == shelf / "clock", "from the end it goes on at the beginning"
        await pilot.press("m", "enter")
        await until(pilot, lambda: "sd.safetensors" in shown(app))
        await pilot.press("backspace")
        await until(pilot, lambda: highlighted() == shelf / "models")
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: highlighted() == shelf)


async def test_letters_typed_one_after_the_other_are_the_beginning_of_a_name(tmp_path: Path, shelf: Path) -> None:
    for name in ("cat", "cliff"):
        (shelf / name).mkdir()
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", {"concepts.0.instance.directory": str(shelf)})
        listing = await browse(pilot, screen, "concepts.0.instance.directory")
        await until(pilot, lambda: "clock/" in shown(app))

        async def name_after(*keys: str) -> str:
            await pilot.press(*keys)
            assert listing.highlighted is not None
            entry = listing.get_option_at_index(listing.highlighted)
            assert isinstance(entry, Entry)
            return entry.location.name

        assert await name_after("c", "l", "o") == "clock"
        listing._typed_at -= 2
        assert await name_after("c") == "cat"
        assert await name_after("l") == "cliff"
        assert await name_after("m") == "models"


async def test_the_keys_of_the_list_stand_in_one_line_and_in_the_help(tmp_path: Path, shelf: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", {"concepts.0.instance.directory": str(shelf)})
        await browse(pilot, screen, "concepts.0.instance.directory")
        await until(pilot, lambda: app.screen.query_one("#dialog-keys").content_size.height == 1)
        assert "Esc closes" in shown(app)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Guidance))
        for word in ("Enter opens", "Backspace", "Letters", "Space", "Hidden"):
            assert word.lower() in shown(app).lower()


async def test_the_source_is_a_file_of_weights_or_a_folder(tmp_path: Path, shelf: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "model", {"model.source": str(shelf / "models")})
        listing = await browse(pilot, screen, "model.source")
        await until(pilot, lambda: listing.option_count == 3)
        taken = {option.location.name: not option.disabled for option in listing.options if isinstance(option, Entry)}
        assert taken == {"..": True, "notes.txt": False, "sd.safetensors": True}
        await pilot.press("end", "enter")
        await until(pilot, lambda: screen.context.text("model.source") == str(shelf / "models" / "sd.safetensors"))


async def test_a_folder_that_cannot_be_read_is_said_and_one_can_go_back(tmp_path: Path, shelf: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", {"concepts.0.instance.directory": str(shelf)})
        listing = await browse(pilot, screen, "concepts.0.instance.directory")
        await until(pilot, lambda: "clock/" in shown(app))
        shutil.rmtree(shelf / "clock")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "cannot be read" in shown(app))
        await pilot.press("backspace")
        await until(pilot, lambda: listing.location == shelf and "models/" in shown(app))
        await pilot.press("escape")
        assert app.screen is screen
