"""Review: how long it takes and what it runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.widgets import Button

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.machine import Card
from core.planning.duration import Pace, kind_of
from core.planning.facts import Facts
from core.runs.folder import Run, list_runs
from core.runs.queue import read_queue
from core.texts import UserError
from dbtui.app import DbtuiApp
from dbtui.drafts import list_drafts
from dbtui.home.screen import HomeScreen
from dbtui.planned import roughly, steps_rows
from dbtui.widgets.question import Question
from dbtui.wizard.base import WizardScreen
from dbtui.wizard.parts import Form
from dbtui.wizard.review import Findings, Listed
from dbtui.wizard.words import PlanLines
from tests.dbtui.app_driving import FILLED, at_rest, imagined, open_wizard, shown, until
from tests.dbtui.test_home import a_step, make_run

GB = 1_000_000_000
CARDS = (Card("GPU-a", "Imagined 24", 24 * GB, 3 * GB), Card("GPU-b", "Imagined 24", 24 * GB, 23 * GB),
         Card("GPU-c", "Imagined 48", 48 * GB, 22 * GB))  # fmt: skip


def with_cards(config: RunConfig, home: Path, **options: Any) -> Facts:
    facts = imagined(config, home, **options)
    assert facts.machine is not None
    return replace(facts, machine=replace(facts.machine, cards=CARDS, gpus=3, gpu_free=3 * GB))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(DbtuiApp, "start_run", lambda self, run, **how: calls.append(how))
    return calls


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_of_several_cards_a_free_one_is_taken_and_the_full_one_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", with_cards)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        lines = screen.query_one(PlanLines).lines
        place = next(number for number, (title, _) in enumerate(lines) if title == "Device")
        assert [text for _, text in lines[place : place + 4]] == [
            "Imagined 24, 23.0 GB of 24.0 GB free",
            "not used: Imagined 48, 22.0 GB of 48.0 GB free: in use",
            "not used: Imagined 24, 3.0 GB of 24.0 GB free: in use",
            "c chooses another one, or several",
        ]
        assert not [finding for finding in screen.context.findings if finding.code == "memory.in-use"]
        await pilot.press("b")
        await until(pilot, lambda: started)
    assert started[0]["cards"] == ("GPU-b",)


async def test_a_run_can_wait_its_turn_with_the_cards_that_were_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", with_cards)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        make_run(tmp_path, "earlier", a_step(3))
        await open_wizard(pilot, "review", dict(FILLED), "style")
        await pilot.press("w")
        await until(pilot, lambda: "waits, no. 1" in shown(app))
        await until(pilot, lambda: app.screen.selected.name == "clock")  # type: ignore[attr-defined]
    (entry,) = read_queue(tmp_path).entries
    assert (entry.name, entry.cards, entry.seconds) == ("clock", ("GPU-b",), None)
    assert Run.open(tmp_path, "clock").preset() == "style"
    assert not started
    assert list_drafts(tmp_path) == []


async def test_where_the_queue_refuses_nothing_is_left_behind_and_a_key_pressed_twice_makes_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    def refuse(home: Path, run: Run, **given: Any) -> None:
        raise UserError("x", "Not now.")

    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        with monkeypatch.context() as refusing:
            refusing.setattr("dbtui.wizard.review.add", refuse)
            await pilot.press("w")
            await until(pilot, lambda: app._notifications)
        assert app.screen is screen and not list_runs(tmp_path)
        screen.action_start_background()  # type: ignore[attr-defined]
        screen.action_start_background()  # type: ignore[attr-defined]
        await until(pilot, lambda: started)
        assert len(app._notifications) == 1
    assert len(started) == 1


async def test_a_key_chooses_one_card_or_several_and_each_gets_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", with_cards)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "2 cards together: Imagined 24, Imagined 48" in shown(app)
        assert "23.0 GB of 24.0 GB free · chosen" in shown(app)
        await pilot.press("3")  # the full one
        await until(pilot, lambda: app.screen is screen)
        assert screen.context.cards == ("GPU-a",)
        assert [finding.code for finding in screen.context.findings if finding.code == "memory.in-use"]
        await pilot.press("c", "4")
        await until(pilot, lambda: screen.context.cards == ("GPU-b", "GPU-c"))
        plan = screen.context.plan()
        assert plan is not None and plan.processes == 2 and plan.images_per_step == 2
        await pilot.press("s")
        await until(pilot, lambda: started)
    assert started[0]["cards"] == ("GPU-b", "GPU-c") and not started[0]["background"]


async def test_with_one_card_there_is_nothing_to_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        await until(pilot, lambda: "Imagined 24, 23.0 GB of 24.0 GB free" in shown(app))
        assert "Cards" not in shown(app).splitlines()[-1]
        await pilot.press("c")
        await pilot.pause()
        assert app.screen is screen
        await pilot.press("s")
        await until(pilot, lambda: started)
    assert started[0]["cards"] == ()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(40, "40 s"), (89.4, "1 min 29 s"), (100, "2 min"), (3500, "58 min"), (3590, "60 min"), (7800, "2 h 10 min")],
)
def test_an_estimate_is_said_as_exactly_as_it_is(seconds: float, said: str) -> None:
    assert roughly(seconds) == said


async def test_the_time_is_told_by_a_former_run_and_unknown_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[Pace] = []
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    monkeypatch.setattr("dbtui.wizard.flow.former_paces", lambda home: tuple(paces))
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        await until(pilot, lambda: "unknown until the first steps" in shown(app))
        assert screen.context.facts is not None
        kind = kind_of(screen.context.config, screen.context.facts)
        assert kind is not None
        paces.append(Pace(kind, picture=1.0, denoising=0.1, start=20))
        looked = screen.context.looked
        assert looked is not None
        screen.context.take(screen.context.config, replace(looked, paces=tuple(paces)))
        screen.show()
        await until(pilot, lambda: "11 min or more, as a former run went" in shown(app))
        said = [text for _, text in screen.query_one(PlanLines).lines]
        assert "start 20 s, training 10 min, previews 40 s, not known: saves, exports, validations" in said


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 50)], ids=["80x24", "120x36", "160x50"])
def test_review_with_several_cards_looks_as_it_did(
    snap_compare: Callable[..., bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", with_cards)

    async def prepare(pilot: Any) -> None:
        screen = await open_wizard(pilot, "review", dict(FILLED), "face")
        await until(pilot, lambda: "1e-6 ┫" in shown(pilot.app) or size == (80, 24))
        facts = screen.context.facts
        assert facts is not None and screen.context.looked is not None
        kind = kind_of(screen.context.config, facts)
        assert kind is not None
        pace = Pace(kind, picture=0.4, denoising=0.05, save=9, gap=0.4, export=2e-9, validation=3, start=40)
        screen.context.take(screen.context.config, replace(screen.context.looked, paces=(pace,)))
        screen.show()
        await until(pilot, lambda: "as a former run went" in shown(pilot.app) or size == (80, 24))
        await at_rest(pilot)

    assert snap_compare(DbtuiApp(tmp_path), run_before=prepare, terminal_size=size)


async def test_a_button_that_leads_to_what_is_wrong_leaves_the_app_alive(tmp_path: Path) -> None:
    """A button that waits for its own screen to go would wait for ever, and every key behind it."""
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", FILLED | {"concepts.0.instance.identifier": ""})
        screen.query_one("#here").focus()
        await pilot.pause()
        app.call_later(screen.query_one("#here", Button).action_press)
        await until(pilot, lambda: app.screen is not screen and isinstance(app.screen, WizardScreen))
        assert app.screen.step == "model", "imagined is no model"  # type: ignore[attr-defined]
        await until(pilot, lambda: app.screen.is_ready)  # type: ignore[attr-defined]
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


@pytest.mark.parametrize(
    ("trained", "said"), [(300, "trains for the whole run"), (210, "trains for the first 210 steps")]
)
def test_a_text_encoder_that_trains_to_the_end_is_not_given_a_number_of_steps(trained: int, said: str) -> None:
    plan: Any = SimpleNamespace(steps=300, epochs=50, steps_per_epoch=6, images_per_step=1, buckets=(),
                                text_encoder_steps=trained)  # fmt: skip
    assert steps_rows(plan)[-1] == ("Text encoder", said)


async def test_every_key_that_scrolls_elsewhere_scrolls_the_plan_and_a_mark_tells_that_there_is_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        form = screen.query_one(Form)
        await until(pilot, lambda: "▼ more" in shown(app))
        assert form.max_scroll_y > 4
        for keys, where in [
            (("down",), 1), (("down",), 2), (("up",), 1), (("end",), form.max_scroll_y), (("home",), 0),
            (("pagedown", "pagedown", "pagedown"), form.max_scroll_y), (("pageup", "pageup", "pageup"), 0),
        ]:  # fmt: skip
            await pilot.press(*keys)
            await until(pilot, lambda where=where: form.scroll_y == where)
            await until(pilot, lambda: ("▼ more" in shown(app)) == (form.scroll_y < form.max_scroll_y))


NAMELESS = {"concepts.0.instance.identifier": "", "concepts.0.instance.class_noun": ""}


async def test_the_arrows_go_through_the_findings_and_on_into_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", FILLED | NAMELESS)
        findings, form = screen.query_one(Findings), screen.query_one(Form)
        last = findings.option_count - 1
        assert last > 0
        findings.focus()
        await pilot.press(*["down"] * (last + 2))
        await until(pilot, lambda: (findings.highlighted, form.scroll_y) == (last, 2))
        await pilot.press(*["up"] * (last + 2))
        await until(pilot, lambda: (findings.highlighted, form.scroll_y) == (0, 0))
        await pilot.press("end")
        await until(pilot, lambda: form.scroll_y == form.max_scroll_y)


async def test_enter_goes_to_the_finding_that_was_chosen_though_the_list_has_changed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", FILLED | NAMELESS)
        findings = screen.query_one(Findings)
        chosen = findings.options[-1]
        assert isinstance(chosen, Listed)
        went: list[str] = []
        monkeypatch.setattr(screen.wizard, "turn_to", lambda step, field: went.append(field))
        findings.post_message(Findings.OptionSelected(findings, chosen, findings.option_count - 1))
        screen.context.findings.clear()
        screen.show()
        await until(pilot, lambda: went == [chosen.finding.field])
        assert screen._fixes() == []


async def test_f2_offers_what_can_be_mended_where_the_chosen_finding_has_nothing_to_offer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", FILLED | NAMELESS)
        await at_rest(pilot)
        assert "To look at" in shown(app)
        first = screen.query_one(Findings).options[0]
        assert isinstance(first, Listed)
        first.finding = replace(first.finding, fixes=())
        screen.query_one(Findings).highlighted = 0
        assert screen.query_one(Findings).has_focus and screen._fixes()


async def test_the_list_stands_on_the_run_that_was_put_into_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    for name in ("ann", "bob", "zoe"):
        Run.create(tmp_path, with_changes(RunConfig(), {"model.name": name}), "0")
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and len(app.screen.entries) == 3)
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: home._was_read)
        await pilot.press("end")
        old = home.selected
        await open_wizard(pilot, "review", dict(FILLED))
        await pilot.press("w")
        await until(pilot, lambda: "waits, no. 1" in shown(app))
        assert old is not None and home.selected is not None
        assert (old.name, home.selected.name) == (home.entries[-1].name, "clock")


MANY = {"concepts.0.instance.identifier": "photograph", "batch.size": "4", "intervals.save_every_epochs": "900",
        "intervals.sample_every_epochs": "900", "learning_rate.warmup_steps": "9000"}  # fmt: skip


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_what_is_to_be_looked_at_has_the_focus_and_no_key_promises_more_than_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, "review", {**FILLED, "intervals.save_every_epochs": "900"})
        findings = screen.query_one(Findings)
        assert screen.focused is findings
        for place, finding in enumerate(screen.context.findings):
            keys = "Enter goes to the field, F2 mends" if finding.fixes else "Enter goes to the field"
            await until(
                pilot, lambda keys=keys: shown(app).split("To look at  ")[1].splitlines()[0].startswith(f"{keys} ")
            )
            await pilot.press("down" if place < len(screen.context.findings) - 1 else "tab")
        await until(pilot, lambda: screen.focused is screen.query_one("#here"))
        await until(pilot, lambda: "Shift+Tab goes there" in shown(app))
        assert "Enter goes to" not in shown(app)
        await pilot.press("shift+tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.step == "concepts")
        assert screen.context.findings[-1].field.startswith("concepts.")
    assert not started


async def test_where_nothing_is_to_be_looked_at_the_start_has_the_focus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_wizard(pilot, "review", dict(FILLED))
        findings = screen.query_one(Findings)
        while screen.context.findings:
            screen.context.findings.pop()
            screen.show()
            await pilot.pause()
            assert screen.focused is (findings if screen.context.findings else screen.query_one("#here"))
        await pilot.press("enter")
        await until(pilot, lambda: started)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_every_finding_is_seen_whole_when_it_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("dbtui.wizard.flow.survey", imagined)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await open_wizard(pilot, "review", FILLED | MANY)
        findings, form = screen.query_one(Findings), screen.query_one(Form)
        assert findings.option_count > 4 and not findings.max_scroll_y

        def is_whole(number: int) -> bool:
            place = findings._place
            return findings.highlighted == number and form.region.contains_region(place) and place.height > 0

        for number in range(1, findings.option_count):
            await pilot.press("down")
            await until(pilot, lambda number=number: is_whole(number))
        await pilot.press("end")
        await until(pilot, lambda: form.scroll_y == form.max_scroll_y > 0)
        screen.show()
        await pilot.pause()
        assert form.scroll_y == form.max_scroll_y
        await pilot.press(*["up"] * (round(form.scroll_y) + 9))
        await until(pilot, lambda: findings.highlighted == 0 and form.scroll_y == 0)
