"""The monitor's previews: gone through, seen in full, damaged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbtui.monitor.samples import SampleScreen, SamplesPane
from tests.dbtui import synthetic
from tests.dbtui.monitor.bench import (
    NARROW,
    WIDE,
    Bench,
    look,
    screen_text,
    settle,
)
from tests.dbtui.synthetic import SyntheticRun


async def test_brackets_go_through_the_samples_and_follow_the_newest_again(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot)
        pane = app.monitor.query_one(SamplesPane)
        assert pane.sample is not None and pane.sample.step == 200
        assert "2 of 2  ← →" in screen_text(app)
        await pilot.press("[", "left")
        assert pane.sample.step == 100
        owned.say(synthetic.preview(owned, 250, "later"))
        await look(app, pilot)
        assert pane.sample.step == 100
        await pilot.press("]", "right")
        assert pane.sample.step == 250
        owned.say(synthetic.preview(owned, 260, "latest"))
        await look(app, pilot)
        assert pane.sample.step == 260


async def test_in_full_the_subject_is_called_one(owned: SyntheticRun) -> None:
    owned.say(synthetic.started(), replace(synthetic.preview(owned, 10, "a dog"), concept="toy"))
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("3", "enter")
        await settle(pilot)
        assert "subject toy" in screen_text(app)


@pytest.mark.parametrize("key", ["escape", "enter", "q", "3"])
async def test_enter_shows_a_sample_in_full_and_y_copies_its_path(owned: SyntheticRun, key: str) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot)
        await pilot.press("3", "y")
        path = str(owned.path / "samples/step-000200/0.png")
        assert app.clipboard == path
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, SampleScreen)
        for words in ("step 200", "seed 42", "a photo of sks alarm clock"):
            assert words in screen_text(app)
        await pilot.press("left")
        await settle(pilot)
        assert "step 100   1 of 2" in screen_text(app)
        assert "step-000100/0.png" in screen_text(app)
        await pilot.press("]")
        await settle(pilot)
        assert "step 200   2 of 2" in screen_text(app)
        await pilot.press("[", key)
        assert app.screen is app.monitor
        await settle(pilot)
        assert "1 of 2" in screen_text(app)


async def test_a_damaged_preview_is_said_and_shown_as_words(owned: SyntheticRun) -> None:
    synthetic.in_training(owned)
    (owned.path / "samples/step-000200/0.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("3")
        await settle(pilot)
        assert "cannot be shown" in screen_text(app)


async def test_an_unknown_graphics_protocol_is_said(owned: SyntheticRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBTUI_GRAPHICS", "crayons")
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("3")
        await settle(pilot)
        assert "crayons" in screen_text(app) and "halfcell" in screen_text(app)


@pytest.mark.parametrize("size", [WIDE, (120, 50)])
async def test_the_prompt_stands_right_above_the_picture(owned: SyntheticRun, size: tuple[int, int]) -> None:
    synthetic.in_training(owned)
    app = Bench(owned)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        rows = screen_text(app).splitlines()
        first = min(number for number, row in enumerate(rows) if "▀▀" in row)
        assert "a photo of sks alarm clock" in rows[first - 1]
