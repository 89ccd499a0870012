"""The widgets that show pictures: how they are drawn, and what is said where they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from textual.app import App, ComposeResult

from dbtui.widgets.picture import Picture
from dbtui.wizard.thumbnails import Thumbnails
from tests.dbtui.app_driving import shown, until


class Wall(App[int]):
    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home

    def compose(self) -> ComposeResult:
        yield Picture()
        yield Thumbnails()


async def test_a_mistake_while_a_picture_is_made_is_said_in_its_place(tmp_path: Path) -> None:
    def draw(place: tuple[int, int]) -> Image.Image:
        raise TypeError("no such picture")

    app = Wall(tmp_path)
    async with app.run_test(size=(60, 20)) as pilot:
        app.query_one(Picture).show("x", draw, "")
        await until(pilot, lambda: "TypeError: no such picture" in shown(app))  # type: ignore[arg-type]


async def test_thumbnails_follow_the_way_of_drawing_that_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (40, 30), (200, 0, 0)).save(tmp_path / "1.png")
    monkeypatch.setenv("DBTUI_GRAPHICS", "halfcell")
    app = Wall(tmp_path)
    async with app.run_test(size=(60, 20)) as pilot:
        thumbnails = app.query_one(Thumbnails)
        thumbnails.show(((tmp_path / "1.png", None),))
        await until(pilot, lambda: "▀▀" in shown(app))  # type: ignore[arg-type]
        monkeypatch.setenv("DBTUI_GRAPHICS", "off")
        for picture in app.query(Picture):
            picture.again()
        await until(pilot, lambda: "▀▀" not in shown(app))  # type: ignore[arg-type]
        thumbnails.show(((tmp_path / "1.png", None), (tmp_path / "none.png", None)))
        await pilot.pause()
        assert "▀▀" not in shown(app)  # type: ignore[arg-type]
        monkeypatch.setenv("DBTUI_GRAPHICS", "halfcell")
        for picture in app.query(Picture):
            picture.again()
        await until(pilot, lambda: "▀▀" in shown(app))  # type: ignore[arg-type]
        thumbnails.show(())
        await until(pilot, lambda: "▀▀" not in shown(app))  # type: ignore[arg-type]


async def test_a_picture_that_follows_another_of_its_size_is_sent_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBTUI_GRAPHICS", "halfcell")
    app = Wall(tmp_path)
    async with app.run_test(size=(60, 20)) as pilot:
        picture = app.query_one(Picture)
        picture.show("red", lambda place: Image.new("RGB", place, (200, 0, 0)), "")
        await until(pilot, lambda: "▀▀" in shown(app))  # type: ignore[arg-type]
        await pilot.pause(0.2)
        sent: list[object] = []
        monkeypatch.setattr(app, "_display", lambda screen, renderable: sent.append(renderable))
        picture.show("blue", lambda place: Image.new("RGB", place, (0, 0, 200)), "")
        await pilot.pause(0.5)
        assert len(sent) == 1
        monkeypatch.undo()
        picture.show("words", lambda place: None, "")
        await until(pilot, lambda: "▀▀" not in shown(app))  # type: ignore[arg-type]
