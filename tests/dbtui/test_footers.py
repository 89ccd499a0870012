"""Every key that stands in a footer stands there whole, at 80 columns, in each language and state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len

from core.events import Continued, Done, Export, Failed, Paused, Phase, Stopped
from core.runs.history import Summary
from core.runs.lock import Owner
from core.runs.overview import Overview
from core.texts import in_force, language
from dbtui.actions import Action, actions
from dbtui.app import DbtuiApp
from dbtui.drafts import STEPS, Draft
from dbtui.home.rows import Entry
from dbtui.home.screen import HomeScreen, RunList
from dbtui.monitor.screen import MonitorScreen
from dbtui.states import STATES
from dbtui.widgets.footer import Footer
from dbtui.widgets.guidance import key_in_words, keys_of
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from tests.dbtui import synthetic
from tests.dbtui.app_driving import FILLED, imagined, open_wizard, shown, until
from tests.dbtui.synthetic import NOON, SyntheticRun
from tests.dbtui.test_gallery import opened
from tests.dbtui.test_gallery import run as gallery_run  # noqa: F401 - a fixture
from tests.dbtui.test_home import a_step, begun, make_run

WIDTH = 80

pytestmark = pytest.mark.usefixtures("spoken")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DBTUI_GRAPHICS", "halfcell")
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)


def keys(app: DbtuiApp) -> str:
    """What the footer shows now, as Textual's compact one writes it, but for the menu at its right end."""
    active = app.screen.active_bindings.values()
    return " ".join(f"{app.get_key_display(one.binding)} {one.binding.description}" for one in active
                    if one.binding.show)  # fmt: skip


def room(app: DbtuiApp) -> int:
    """The cells that the menu leaves free: it has a line to its left and a space to its right."""
    return WIDTH - cell_len(menu(app))


def menu(app: DbtuiApp) -> str:
    bound = app.screen.active_bindings["ctrl+p"].binding
    return f"▏{app.get_key_display(bound)} {bound.description} "


class Seen:
    """Collects every footer there was, and which of them were cut off."""

    def __init__(self, app: DbtuiApp) -> None:
        self.app = app
        self.footers: set[str] = set()

    def look(self) -> None:
        self.footers.add(keys(self.app))

    def cut(self) -> list[str]:
        return sorted(footer for footer in self.footers if cell_len(footer) > room(self.app))


@asynccontextmanager
async def opened_app(home: Path) -> AsyncIterator[tuple[DbtuiApp, Any, Seen]]:
    app = DbtuiApp(home)
    async with app.run_test(size=(WIDTH, 24)) as pilot:
        yield app, pilot, Seen(app)


async def test_what_is_counted_here_is_what_is_drawn(tmp_path: Path) -> None:
    async with opened_app(tmp_path) as (app, pilot, _):
        await open_wizard(pilot, "concepts", dict(FILLED))
        footer = app.screen.query_one(Footer)
        await until(pilot, lambda: len(footer.places) > 4 and footer.places[-2].end == cell_len(keys(app)))
        assert footer.places[-1].start == room(app) and footer.places[-1].end == WIDTH
        drawn = shown(app).splitlines()[-1]
        assert drawn.startswith(keys(app)) and drawn.endswith(menu(app)) and cell_len(drawn) == WIDTH


async def test_a_footer_too_narrow_for_its_keys_keeps_the_menu(tmp_path: Path) -> None:
    async with opened_app(tmp_path) as (app, pilot, _):
        await open_wizard(pilot, "concepts", dict(FILLED))
        await pilot.resize_terminal(20, 24)
        await until(pilot, lambda: cell_len(drawn := shown(app).splitlines()[-1]) == 20 and drawn.endswith(menu(app)))
        assert shown(app).splitlines()[-1].startswith(keys(app)[:5])


async def test_a_footer_is_drawn_anew_only_when_another_key_stands_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    render = Footer.render
    monkeypatch.setattr(Footer, "render", lambda footer: (drawn.append(""), render(footer))[1])
    async with opened_app(tmp_path) as (app, pilot, _):
        await until(pilot, lambda: keys(app) in shown(app))
        before = len(drawn)
        for _ in range(3):
            app.screen.refresh_bindings()
            await pilot.pause()
        assert len(drawn) == before
        make_run(tmp_path, "clock", begun(), a_step(5))
        app.screen.look()  # type: ignore[attr-defined]
        await until(pilot, lambda: " d " in shown(app).splitlines()[-1])
        assert len(drawn) > before


async def test_a_click_on_a_key_does_what_the_key_does_and_the_mouse_over_it_is_told_what(tmp_path: Path) -> None:
    async with opened_app(tmp_path) as (app, pilot, _):
        footer = app.screen.query_one(Footer)
        await until(pilot, lambda: any(place.key.key == "q" for place in footer.places))
        [leave] = [place for place in footer.places if place.key.key == "q"]
        await pilot.hover(Footer, offset=(leave.start, 0))
        assert footer.tooltip == leave.key.help and footer.pointed == leave.key
        await pilot.hover(Footer, offset=(footer.places[-2].end + 3, 0))
        assert footer.tooltip is None and footer.pointed is None
        await pilot.click(Footer, offset=(leave.end - 1, 0))
        await until(pilot, lambda: isinstance(app.screen, Question))


async def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Overview, "read", lambda self: pytest.fail("nothing is read here"))
    monkeypatch.setattr(HomeScreen, "look", lambda self: None)
    runs = [Entry(f"{state}-{place}", Summary(f"{state}-{place}", state, 30, 60, 0.1, 1.5, 7, "/x", NOON, None, 9.0, 6,
                                                 saved=30 * (place == 0)),
                  place=place) for state in STATES.english for place in (0, 1) if state != "draft"]  # fmt: skip
    entries = [*runs, Entry("odd", trouble="It cannot be read."), Entry("draft", draft=Draft("20250101-120000-aaaa"))]
    async with opened_app(tmp_path) as (app, _, seen):
        home = app.screen
        assert isinstance(home, HomeScreen)
        seen.look()
        assert " t " in keys(app)
        home._show(entries)
        for number in range(len(entries)):
            home.query_one(RunList).highlighted = number
            seen.look()
        assert not seen.cut()
        assert len(seen.footers) >= 6


def with_everything(screen: WizardScreen, action: str, parameters: tuple[object, ...]) -> bool | None:
    """As if the field had been changed, and were wrong."""
    return action in ("put_back", "fix") or CHECK(screen, action, parameters)


CHECK = WizardScreen.check_action


def is_at(app: DbtuiApp, step: str) -> bool:
    screen = app.screen
    return isinstance(screen, WizardScreen) and screen.step == step and screen.is_ready


@pytest.mark.parametrize(("steps", "concepts"), [(tuple(STEPS), 1), (("concepts",), 2)], ids=["one", "two"])
async def test_wizard(tmp_path: Path, steps: tuple[str, ...], concepts: int) -> None:
    """At each field, as it is and as if it were wrong and could be put back."""
    async with opened_app(tmp_path) as (app, pilot, seen):
        await open_wizard(pilot, steps[0], dict(FILLED), "face", concepts)
        for step in steps:
            if step != steps[0]:
                await pilot.press("f4")
                await until(pilot, lambda: is_at(app, step))  # noqa: B023
            here = app.screen
            assert isinstance(here, WizardScreen)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(type(here.context), "groups", ("a card",))
                seen.look()
                for control in here.query(".control"):
                    here.set_focus(control, scroll_visible=False)
                    seen.look()
                    with patch.context() as worse:
                        worse.setattr(WizardScreen, "check_action", with_everything)
                        seen.look()
        assert not seen.cut()
        assert len(seen.footers) >= 2 * len(steps)


@pytest.mark.parametrize("concepts", [1, 2])
async def test_whatever_the_wizard_can_do_stands_in_the_footer_or_in_the_help_with_a_word_on_it(
    tmp_path: Path, concepts: int
) -> None:
    """At each field, as if it were wrong and could be put back; no two keys of one screen have one name."""
    everywhere = actions("everywhere")
    async with opened_app(tmp_path) as (app, pilot, _):
        await open_wizard(pilot, STEPS[0], dict(FILLED), "face", concepts)
        for step in STEPS:
            if step != STEPS[0]:
                await app.screen.wizard.go(step)  # type: ignore[attr-defined]
                await until(pilot, lambda: is_at(app, step))  # noqa: B023
            here = app.screen
            assert isinstance(here, WizardScreen)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(type(here.context), "groups", ("a card",))
                patch.setattr(WizardScreen, "check_action", with_everything)
                for control in here.query(".control, Button, #findings"):
                    here.set_focus(control, scroll_visible=False)
                    told = keys_of(here).plain
                    possible = [action for action in (*actions("wizard", step), *everywhere)  # type: ignore[arg-type]
                                if action in everywhere or here.check_action(action.id, ())]  # fmt: skip
                    names = [words(action) for action in possible]
                    absent = [title for title, said in names if f"{title}{MARK[language()]}{said}" not in told]
                    assert not absent, (step, told)
                    titles = [title for title, _ in names]
                    assert len(set(titles)) == len(titles), sorted(titles)
                    assert all(len(said) > 3 for _, said in names)


MARK = {"en": ": ", "zh": "："}


def words(action: Action) -> tuple[str, str]:
    code = f"action.{action.place}.{action.id}"
    return in_force(f"{code}.title", action.title), in_force(f"{code}.help", action.help)


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
async def test_monitor(tmp_path: Path, here: bool) -> None:
    run = SyntheticRun(tmp_path, "clock")
    synthetic.in_training(run, 110)
    past = [
        (),
        (Paused(step=110, time=NOON),),
        (Continued(step=110, time=NOON), Phase(name="training", time=NOON)),
        (Done(step=110, seconds=9.0, time=NOON),),
        (Stopped(step=110, saved=True, time=NOON),),
        (Failed(code="memory.out", message="No memory.", time=NOON),),
    ]
    async with opened_app(tmp_path) as (app, pilot, seen):
        monitor = MonitorScreen(run)  # type: ignore[arg-type]
        app.push_screen(monitor)
        await until(pilot, lambda: monitor._knows_the_past)
        for exports in ((), (Export(path="export/clock.safetensors", format="safetensors", bytes=7, time=NOON),)):
            monitor.history.exports.extend(exports)
            for told in past:
                monitor.history.ending = None
                monitor.history.add(told)
                for alive in (True, False):
                    monitor.history.observe(Owner(1, "", 0.0, 0.0, True) if alive else None)
                    monitor.handle = SimpleNamespace(running=alive and here)  # type: ignore[assignment]
                    seen.look()
        assert not seen.cut()
        assert len(seen.footers) >= 6


async def test_gallery(gallery_run: Any) -> None:  # noqa: F811
    async with opened_app(gallery_run.home) as (app, pilot, seen):
        gallery = await opened(app, pilot, gallery_run)
        space = next(one.binding for one in app.screen.active_bindings.values() if one.binding.key == "space")
        assert app.get_key_display(space).capitalize() == key_in_words(space)
        seen.look()
        gallery.action_choose()
        seen.look()
        gallery.action_move(0, -1)
        gallery.action_choose()
        seen.look()
        assert not seen.cut()
