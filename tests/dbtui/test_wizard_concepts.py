"""Subjects are added, copied and taken out."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtui.app import DbtuiApp
from dbtui.widgets.guidance import Guidance
from dbtui.widgets.question import Question
from tests.dbtui.app_driving import FILLED, open_wizard, row_of, shown, until

pytestmark = pytest.mark.usefixtures("no_disk")


async def test_concepts_are_added_and_taken_out_with_their_texts(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        await pilot.press("f8")
        await until(pilot, lambda: len(screen.context.config.concepts) == 2)
        screen.context.edit("concepts.1.instance.class_noun", "dog")
        row_of(screen, "concepts.0.instance.class_noun").control.focus()
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "Take subject 1 out" in shown(app) and "alarm clock" in shown(app)
        await pilot.press("k")
        await until(pilot, lambda: app.screen is screen)
        assert len(screen.context.config.concepts) == 2
        await pilot.press("f9", "r")
        await until(pilot, lambda: len(screen.context.config.concepts) == 1)
        assert screen.context.text("concepts.0.instance.class_noun") == "dog"
        await until(pilot, lambda: screen.is_ready and screen.focused_row is not None)
        assert "Subject 2" not in shown(app)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Guidance))


async def test_keys_go_on_after_the_focused_concept_was_taken_out(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        await pilot.press("ctrl+d")
        await until(pilot, lambda: screen.focused_row is not None and screen.focused_row.path.startswith("concepts.1"))
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("r")
        await until(pilot, lambda: screen.is_ready and len(screen.context.config.concepts) == 1)
        assert screen.focused is not None and screen.focused.is_attached
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Guidance))


async def test_a_concept_for_which_nothing_was_typed_is_taken_out_at_once(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED))
        await pilot.press("f8")
        await until(pilot, lambda: len(screen.context.config.concepts) == 2)
        await until(pilot, lambda: screen.focused_row is not None and screen.focused_row.path.startswith("concepts.1"))
        await pilot.press("f9")
        await until(pilot, lambda: len(screen.context.config.concepts) == 1)
        assert app.screen is screen


async def test_the_footer_of_two_concepts_fits_eighty_columns(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wizard(pilot, "concepts", dict(FILLED))
        await pilot.press("f8")
        await until(pilot, lambda: "Remove" in shown(app).splitlines()[-1])
        assert all(words in shown(app).splitlines()[-1] for words in ("Browse", "Remove", "f1 Help", "^p Menu"))


async def test_a_copy_of_a_concept_has_its_texts_but_for_name_pictures_and_word(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        texts = {**FILLED, "concepts.0.name": "clock", "concepts.0.prior.steps": "30"}
        screen = await open_wizard(pilot, "concepts", texts)
        await screen.go_to_field("concepts.0.instance.class_noun")
        await pilot.press("ctrl+d")
        await until(pilot, lambda: screen.focused_row and screen.focused_row.path == "concepts.1.instance.directory")
        context = screen.context
        assert context.text("concepts.1.instance.class_noun") == "alarm clock"
        assert context.config.concepts[1].prior.steps == 30
        assert not any(context.text(f"concepts.1.{name}") for name in ("name", "instance.directory",
                                                                       "instance.identifier"))  # fmt: skip


async def test_a_subject_is_headed_by_its_class_as_it_is_typed(tmp_path: Path) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "concepts", dict(FILLED), concepts=2)
        await screen.go_to_field("concepts.0.instance.class_noun")
        await until(pilot, lambda: "Subject 1  alarm clock" in shown(app))
        await pilot.press("s")
        await until(pilot, lambda: "Subject 1  alarm clocks" in shown(app))
