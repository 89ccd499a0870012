"""The demo from outside: the command, the key on the first screen, the monitor that explains it, the wizard's source.

What it learns is measured elsewhere; here a scripted trainer says what a real one would say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.config.findings import Level
from core.config.options import RunConfig
from core.demo.preset import demo_preset
from core.demo.run import make_demo_run
from core.events import Done, Event, Export, Phase, RunStarted, Sample, Step
from core.runs import pump
from core.runs.folder import Run
from dbtui.__main__ import main
from dbtui.app import DbtuiApp
from dbtui.commands.demo import round_line
from dbtui.demo import PROMPT, SAYS, Demo, demo_of
from dbtui.home.screen import HomeScreen
from dbtui.monitor.samples import SamplesPane
from dbtui.monitor.screen import MonitorScreen
from dbtui.widgets.question import Question
from dbtui.wizard.context import WizardContext
from dbtui.wizard.notes import lines_for
from dbtui.wizard.values import as_text
from tests.dbtui import synthetic
from tests.dbtui.app_driving import open_wizard, shown, until

Said = pytest.CaptureFixture[str]
NARROW = (80, 24)


def step(number: int) -> Step:
    return Step(step=number, epoch=1, loss=0.1, instance_loss=0.1, prior_loss=0.1, rate=2e-4, text_encoder_rate=2e-4,
                gradient_norm=1.0, images_per_second=9.0, memory_bytes=0)  # fmt: skip


def samples(folder: Path, number: int, likeness: tuple[float, float] | None = None) -> Iterator[Event]:
    for of_class in (False, True):
        path = Path(f"samples/step-{number:06d}/dog-face-00{'-class' * of_class}.png")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        synthetic.Image.new("RGB", (64, 64), (0, 0, 200) if of_class else (200, 0, 0)).save(folder / path)
        yield Sample(step=number, path=str(path), prompt="a dog face" if of_class else "a sks dog face", seed=7,
                     of_class=of_class, likeness=likeness and likeness[of_class])  # fmt: skip
        yield Phase(name="sampling", done=1 + of_class, total=2)


class Trainer:
    """Says what a trainer says of the demo, in order; with `waits` it does not come to its end by itself."""

    lives: list[RunConfig] = []
    waits = False

    def __init__(self, config: RunConfig, folder: Path, resume: bool, poll: Callable[[], Any]) -> None:
        self.config, self.folder, self.poll = config, folder, poll
        self.lives.append(config)

    def run(self) -> Iterator[Event]:
        yield RunStarted(config_hash="", versions={}, device="CPU", total_steps=20, steps_per_epoch=2)
        yield Phase(name="loading")
        if self.config.concepts[0].prior.images_per_instance:
            yield Phase(name="class-images", done=0, total=12)
        yield Phase(name="caching", done=18, total=18)
        yield Phase(name="training", done=0, total=20)
        yield Phase(name="sampling", done=0, total=2)
        yield from samples(self.folder, 0, (0.02, 0.01))
        yield Phase(name="training", done=0, total=20)
        for number in range(1, 21):
            yield step(number)
        yield Phase(name="sampling", done=0, total=2)
        yield from samples(self.folder, 20, (0.97, 0.02))
        yield Phase(name="training", done=20, total=20)
        while self.waits and not self.poll():
            time.sleep(0.01)
        (self.folder / "export").mkdir()
        (self.folder / "export" / "demo.safetensors").write_bytes(b"weights")
        yield Export(path="export/demo.safetensors", format="safetensors", bytes=7)
        yield Done(step=20, seconds=1.0)


@pytest.fixture(autouse=True)
def trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Trainer]:
    monkeypatch.setattr(pump, "make_trainer", Trainer)
    monkeypatch.setattr(Trainer, "lives", [])
    monkeypatch.setattr(Trainer, "waits", False)
    monkeypatch.setenv("DBTUI_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "500")
    return Trainer


# --- the command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [True, False])
def test_without_the_app_it_tells_a_beginner_what_happens_and_where_everything_is(
    tmp_path: Path, capfd: Said, prior: bool
) -> None:
    assert main(["demo", "--headless", *([] if prior else ["--without-prior"])]) == 0
    said = capfd.readouterr().out
    alone = "" if prior else "-alone"
    states = ["loading", *(["class-images"] if prior else []), "before", f"training{alone}",
              "done-printed" if prior else "done-alone"]  # fmt: skip
    told = [SAYS[state] for state in states]
    places = [said.index(words) for words in told]
    assert places == sorted(places) and all(said.count(words) == 1 for words in told)
    assert (SAYS["class-images"] in said) == prior
    assert "h for your runs" not in said
    assert "“a sks dog face” is the new dog in 1 of 1, “a dog face” is the new dog in 0 of 1" in said
    assert "\\n" not in said and "\n\n" in said
    run = tmp_path / "runs" / "demo"
    for path in (run / "samples" / "step-000000", run / "samples" / "step-000020", run / "export/demo.safetensors"):
        assert path.exists() and str(path) in said
    assert 'dbtui generate demo --prompt "' in said
    assert ("dbtui demo --headless --without-prior" in said) == prior


def test_only_before_the_first_step_its_word_means_nothing() -> None:
    demo = Demo(prior=True)
    assert "means nothing yet" in demo.says("loading", 0)
    assert "means nothing" not in demo.says("loading", 150) and "goes on" in demo.says("loading", 150)


def test_each_time_it_is_a_new_run(tmp_path: Path, capfd: Said, trainer: type[Trainer]) -> None:
    assert [main(["demo", "--headless"]) for _ in range(2)] == [0, 0]
    assert [config.model.name for config in trainer.lives] == ["demo", "demo-2"]
    assert "dbtui generate demo-2" in capfd.readouterr().out


def test_where_there_is_no_terminal_it_says_how_to_do_without(tmp_path: Path, capfd: Said) -> None:
    assert main(["demo"]) == 2
    assert "dbtui demo --headless" in capfd.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_previews_that_nobody_judged_are_only_counted() -> None:
    shown = [Sample(step=5, path="samples/step-000005/x.png", prompt="a dog", seed=1)] * 2
    assert round_line(shown) == "Step 5: 2 previews · samples/step-000005"


# --- the app ------------------------------------------------------------------------------------------------------


async def monitor(app: DbtuiApp, pilot: Pilot[int]) -> MonitorScreen:
    await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
    assert isinstance(app.screen, MonitorScreen)
    return app.screen


async def test_the_app_opens_on_its_monitor_and_trains_it(tmp_path: Path) -> None:
    run = make_demo_run(tmp_path, "test")
    app = DbtuiApp(tmp_path, attach=run.name, begin=True)
    async with app.run_test(size=NARROW) as pilot:
        screen = await monitor(app, pilot)
        await until(pilot, lambda: screen.history.state == "done")
        pane = screen.query_one(SamplesPane)
        await until(pilot, lambda: pane.sheet is not None and len(pane.sheet.pictures) == 2)
        told = "recognised as the new one: 97% │ recognised as the new one: 2%"
        await until(pilot, lambda: told in " ".join(shown(app).split()))
        assert pane.is_seen and "a sks dog face │ a dog face" in " ".join(shown(app).split())
        assert "It has learned a new dog" in shown(app)
        assert f'dbtui generate demo --prompt "{PROMPT}"' in [
            line.strip().split(" --home")[0] for line in shown(app).splitlines()
        ]


async def test_it_says_what_happens_while_it_happens(tmp_path: Path, trainer: type[Trainer]) -> None:
    trainer.waits = True
    run = make_demo_run(tmp_path, "test")
    app = DbtuiApp(tmp_path, attach=run.name, begin=True)
    async with app.run_test(size=NARROW) as pilot:
        await monitor(app, pilot)
        await until(pilot, lambda: "becomes the new dog. Right:" in shown(app))
        assert app.training is not None
        app.training.request("stop")
        await until(pilot, lambda: not app.is_training)


async def test_before_the_first_preview_it_shows_what_it_learns_from(tmp_path: Path) -> None:
    run = make_demo_run(tmp_path, "test")
    app = DbtuiApp(tmp_path, attach=run.name)
    async with app.run_test(size=NARROW) as pilot:
        screen = await monitor(app, pilot)
        await until(pilot, lambda: "This is what it learns from" in shown(app))
        await until(pilot, lambda: bool(screen.query("#pane-samples Picture > *")))


@pytest.mark.parametrize(("key", "class_pictures"), [("d", 2), ("w", 0)])
async def test_the_first_screen_offers_it(
    tmp_path: Path, trainer: type[Trainer], key: str, class_pictures: int
) -> None:
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=NARROW) as pilot:
        await until(pilot, lambda: "Try the demo" in shown(app).splitlines()[-1])
        await pilot.press("t")
        assert isinstance(app.screen, Question)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen) and not (tmp_path / "runs").exists()
        await pilot.press("t", key)
        screen = await monitor(app, pilot)
        await until(pilot, lambda: screen.history.state == "done")
        await until(pilot, lambda: not app.is_training)
    assert [config.concepts[0].prior.images_per_instance for config in trainer.lives] == [class_pictures]


async def test_beside_another_run_it_trains_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, bool]] = []
    monkeypatch.setattr(DbtuiApp, "is_training", True)
    monkeypatch.setattr(
        DbtuiApp, "start_run", lambda self, run, *, resume, background: started.append((run.name, background))
    )
    app = DbtuiApp(tmp_path)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("t")
        await until(pilot, lambda: "trains in the background" in " ".join(shown(app).split()))
        await pilot.press("d")
        await until(pilot, lambda: started)
        monkeypatch.undo()
    assert started == [("demo", True)]


def test_only_the_demo_explains_itself(tmp_path: Path) -> None:
    assert demo_of(make_demo_run(tmp_path, "test").path) is not None
    found = demo_of(make_demo_run(tmp_path, "test", prior=False).path)
    assert found is not None and not found.prior
    mine = RunConfig().model_copy(
        update={"model": RunConfig().model.model_copy(update={"name": "mine", "source": "demo"})}
    )
    assert demo_of(Run.create(tmp_path, mine, "test").path) is None
    assert demo_of(tmp_path) is None


# --- the wizard ---------------------------------------------------------------------------------------------------


def test_the_source_demo_brings_its_numbers_and_takes_them_away_again(tmp_path: Path) -> None:
    context = WizardContext(tmp_path)
    context.edit("preset", "object")
    objects = context.text("learning_rate.rate")
    context.edit("model.source", "demo")
    assert float(context.text("learning_rate.rate")) == demo_preset().values["learning_rate.rate"]
    assert not context.is_changed("learning_rate.rate")
    context.edit("learning_rate.rate", "0.0001")
    context.edit("model.source", "demos")
    assert context.text("learning_rate.rate") == "0.0001", "what was typed stays"
    context.put_back("learning_rate.rate")
    assert context.text("learning_rate.rate") == objects
    context.edit("learning_rate.rate", as_text(demo_preset().values["learning_rate.rate"]))
    context.edit("model.source", "demo")
    assert not context.is_changed("learning_rate.rate"), "it is what the demo chooses"


async def test_in_the_wizard_the_demo_is_named_for_what_it_is(tmp_path: Path, tiny_sd1: Path) -> None:
    from core.demo import source

    app = DbtuiApp(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source, "MODEL", tiny_sd1)
            texts = {
                "model.name": "toy", "model.source": "demo", "concepts.0.instance.directory": str(source.SUBJECT),
                "concepts.0.instance.identifier": "sks", "concepts.0.instance.class_noun": "dog face",
            }  # fmt: skip
            screen = await open_wizard(pilot, "model", texts, preset="object")
            (line,) = lines_for(screen.context, "model.source", busy=False)
            assert line.text.startswith("The small model that comes with the program: 64 px")
            assert "The small model that comes" in shown(app) and "go over the rest" in shown(app)
            filled = " ".join(line.text for line in lines_for(screen.context, "preset", busy=False))
            assert "Text encoder ratio 0.35 (was 1)" in filled
            await screen.wizard.go("review")
            await until(pilot, lambda: screen.context.looked is not None and screen.context.looked.decoded)
            found = [finding.code for finding in screen.context.findings if finding.level is not Level.HINT]
            assert found == []
