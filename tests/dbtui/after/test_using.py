"""What was trained is exported and used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from textual.content import Content
from textual.pilot import Pilot

from core.config.parsing import with_changes
from core.events import Export
from core.export.metadata import run_settings
from core.runs.folder import Run
from core.runs.history import History
from dbtui.app import DbtuiApp
from dbtui.monitor.after import export_question, formats_of
from dbtui.monitor.notices import notice
from dbtui.monitor.using import Found, UsingScreen, told_of
from dbtui.using import lines_of
from tests.dbtui import synthetic
from tests.dbtui.after.ended import (
    DONE,
    NARROW,
    SIZES,
    WIDE,
    journal_of,
    opened,
)
from tests.dbtui.app_driving import shown, until
from tests.dbtui.monitor.bench import settle
from tests.dbtui.test_footers import keys


@SIZES
def test_snapshot_of_how_to_use_it(snap_compare: Any, run: Run, size: tuple[int, int]) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    run.exports.mkdir()
    (run.exports / "clock.safetensors").touch()
    files = [Path("/home/me/dbtui/runs/clock/export/clock.safetensors")]
    environment = {"SSH_CONNECTION": "10.0.0.2 5000 192.168.1.7 22", "USER": "me"}
    using = UsingScreen(run, Found(files, run.config()), environment)

    async def before(pilot: Pilot[int]) -> None:
        await opened(pilot.app, pilot, run)  # type: ignore[arg-type]
        pilot.app.push_screen(using)
        await settle(pilot)

    assert snap_compare(DbtuiApp(run.home), terminal_size=size, run_before=before)


async def test_u_tells_how_to_use_an_export_and_y_copies_the_line_that_fetches_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 5000 192.168.1.7 22")
    monkeypatch.setenv("USER", "me")
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        monitor = await opened(app, pilot, run)
        assert "u Use it" not in keys(app)
        run.exports.mkdir()
        for name in ("clock.safetensors", "clock-step-000200.ckpt"):
            (run.exports / name).touch()
        await monitor.look()
        await pilot.press("u")
        await settle(pilot)
        said = shown(app)
        for words in ("models/Stable-diffusion", "ComfyUI/models/checkpoints", "a sks alarm clock"):
            assert words in said
        first = app.screen.path  # type: ignore[attr-defined]
        await pilot.press("y")
        assert app.clipboard == f"scp me@192.168.1.7:{first} ."
        await pilot.press("right")
        assert app.screen.path != first  # type: ignore[attr-defined]
        await pilot.press("escape")
        assert app.screen is monitor


async def test_each_of_many_exports_of_the_demo_says_where_it_lies(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    demo = Run.create(tmp_path, with_changes(run.config(), {"model.name": "demo", "model.source": "demo"}), "0")
    demo.exports.mkdir()
    for name in ("demo.safetensors", "demo-step-000306.safetensors", "demo.ckpt.configs.json"):
        (demo.exports / name).touch()
    journal_of(demo).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, demo)
        await pilot.press("u")
        for _ in range(2):
            await until(pilot, lambda: isinstance(app.screen, UsingScreen) and "of 2" in shown(app))
            screen = app.screen
            assert isinstance(screen, UsingScreen) and screen.path is not None
            assert f"~/runs/demo/export/{screen.path.name}" in shown(app)
            await pilot.press("right")


@pytest.mark.parametrize("lora", [False, True])
def test_an_export_that_is_not_the_newest_is_drawn_with_or_the_difference_is_said(
    tmp_path: Path, run: Run, lora: bool
) -> None:
    changes = {"model.name": "demo", "model.source": "demo", "lora.enabled": lora}
    demo = Run.create(tmp_path, with_changes(run.config(), changes), "0")
    (demo.checkpoints / "step-000130").mkdir(parents=True)
    demo.exports.mkdir()
    for name, is_newest in (("demo-step-000130.safetensors", True), ("demo-step-000120.safetensors", False)):
        path = demo.exports / name
        path.touch()
        said = told_of(demo, path, demo.config(), {}).plain
        assert (f"generate {path}" in said) is (not is_newest and not lora)
        assert ("generate demo " in said) is (is_newest or lora)
        assert ("not with this file" in said) is (lora and not is_newest)
        assert ("what the run learned last." in said) is is_newest


def test_what_was_exported_half_way_is_not_told_as_what_a_finished_run_exported(run: Run) -> None:
    half, whole, averaged = (Export(path=f"export/clock{ending}.safetensors", format="safetensors", bytes=7)
                             for ending in ("-step-000010", "", "-ema"))  # fmt: skip
    history = History()
    history.add([synthetic.started(), *synthetic.steps(1, 10), half, *synthetic.steps(11, 20), whole, averaged, DONE])
    said = notice(run, history, Content(""), False, {}).plain
    assert -1 < said.index("export/clock.safetensors") < said.index("export/clock-ema.safetensors")
    assert "clock-step-000010" not in said


async def test_u_says_how_far_each_export_was_trained(run: Run) -> None:
    run.exports.mkdir()
    for name, step in (("clock.safetensors", 20), ("clock-step-000010.ckpt", None)):
        metadata = run_settings(run.config(), step) if step else {}
        save_file({"x": torch.zeros(1)}, run.exports / name, metadata or None)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("u")
        for _ in range(2):
            await until(pilot, lambda: isinstance(app.screen, UsingScreen) and "of 2" in shown(app))
            title = next(line for line in shown(app).splitlines() if "How to use" in line)
            assert ("step 10" in title) == ("clock-step-000010" in title)
            assert ("step 20" in title) != ("step 10" in title)
            await pilot.press("right")


async def test_what_lies_beside_an_export_is_told_with_it(run: Run) -> None:
    run.exports.mkdir()
    for name in ("clock.ckpt", "clock.ckpt.configs.json"):
        (run.exports / name).touch()
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("u")
        await until(pilot, lambda: "clock.ckpt.configs.json lies beside it" in shown(app))
    assert "clock.ckpt.configs.json lies beside it" in lines_of(run, run.exports / "clock.ckpt", run.config(), {})[0]
    (run.exports / "clock.ckpt.configs.json").unlink()
    assert "lies beside" not in " ".join(lines_of(run, run.exports / "clock.ckpt", run.config(), {}))


async def test_a_finished_run_says_where_its_export_lies(tmp_path: Path, run: Run) -> None:
    exported = Export(path="export/clock.safetensors", format="safetensors", bytes=7, time=synthetic.NOON + 900)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), exported, DONE)
    app = DbtuiApp(run.home)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot, run)
        said = "".join(shown(app).split())
        assert str(run.exports / "clock.safetensors") in said


async def test_u_where_nothing_is_exported_yet_says_so_and_exports_it_on_e(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("u")
        await until(pilot, lambda: "nothing of this run is saved" in shown(app))
        await pilot.press("e")
        assert isinstance(app.screen, UsingScreen)
        await pilot.press("escape")
        (run.checkpoints / "step-000020").mkdir(parents=True)
        await pilot.press("u")
        await until(pilot, lambda: "saved, but not exported" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "Export clock as what?" in shown(app))


def test_no_format_of_the_demo_is_said_to_be_read_by_another_program(tmp_path: Path, run: Run) -> None:
    demo = Run.create(tmp_path, with_changes(run.config(), {"model.name": "demo", "model.source": "demo"}), "0")
    assert not any(answer.help for answer in export_question(demo, formats_of(demo)).answers)
    assert all(answer.help for answer in export_question(run, formats_of(run)).answers)


async def test_u_while_it_trains_says_when_there_will_be_something_to_use(run: Run) -> None:
    journal = journal_of(run)
    journal.say(synthetic.started(), *synthetic.steps(1, 20))
    (run.checkpoints / "step-000020").mkdir(parents=True)
    app = DbtuiApp(run.home)
    with synthetic.held(run):
        async with app.run_test(size=NARROW) as pilot:
            await opened(app, pilot, run)
            assert "u Use it" not in keys(app)
            await pilot.press("u")
            await until(pilot, lambda: "the run is not over" in shown(app))
            assert "e exports it now" not in shown(app)


async def test_e_offers_the_state_that_was_marked_as_the_best(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.best import mark_best

    written: list[tuple[str, int | None]] = []

    async def write(app: Any, home: Path, name: str, chosen: str, step: int | None) -> None:
        written.append((chosen, step))

    monkeypatch.setattr("dbtui.home.exporting.export", write)
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    for number in (200, 600):
        (run.checkpoints / f"step-{number:06d}").mkdir(parents=True)
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot, run)
        await pilot.press("e")
        await until(pilot, lambda: "Export clock as what?" in shown(app))
        await pilot.press("1")
        mark_best(run.path, 200)
        await pilot.press("e")
        await until(pilot, lambda: "you marked it as the best" in shown(app))
        await pilot.press("b", "2")
        await settle(pilot)
        assert written == [("safetensors", None), ("ckpt", 200)]


async def test_a_damaged_run_toml_is_said_instead_of_an_export(run: Run) -> None:
    journal_of(run).say(synthetic.started(), *synthetic.steps(1, 20), DONE)
    run.config_path.write_text("[[[")
    app = DbtuiApp(run.home)
    async with app.run_test(size=NARROW) as pilot:
        monitor = await opened(app, pilot, run)
        await pilot.press("e")
        await until(pilot, lambda: app._notifications)
        assert "run.toml" in next(iter(app._notifications)).message and app.screen is monitor
