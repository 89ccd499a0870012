"""TensorBoard and Weights & Biases show what the journal says; what fails there is told and never ends a run."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.choices import tracking
from core.choices.tracking import signed_in
from core.config.parsing import with_changes
from core.events import Done, Event, RunStarted, Sample, Validation, Warned
from core.runs import trackers
from core.runs.folder import Run
from core.runs.history import STEP_SERIES
from core.runs.journal import JournalWriter, read_journal
from core.runs.pump import train
from core.runs.trackers import Tracking
from core.runs.trackers.figures import STEP_NAMES, figures
from tests.runs.bodies import Body
from tests.runs.fakes import started, step


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "POLL_SECONDS", 0.01)


def follow(folder: Path, lives: Sequence[Sequence[Event]], build: trackers.Build, title: str = "It") -> list[str]:
    """Journal each life and let a tracker follow it; returns what went wrong."""
    troubles: list[str] = []
    for events in lives:
        journal = JournalWriter(folder / "journal.jsonl")
        tracking = Tracking([(title, build)], journal.path, logging.getLogger("test"))
        tracking.start()
        for event in events:
            journal.write(event)
        journal.close()
        tracking.close()
        troubles += [str(said) for said in tracking.troubles()]
    return troubles


def preview(folder: Path, number: int) -> Sample:
    path = folder / "samples" / f"step-{number:06}" / "dog-1.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (8, 6), "red").save(path)
    return Sample(step=number, path=str(path.relative_to(folder)), prompt="a sks dog", seed=1, concept="dog")


def board(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.toml").write_text("[model]\n", encoding="utf-8")
    return tmp_path


def test_tensorboard_reads_every_figure_and_preview_of_the_journal(folder: Path) -> None:
    from core.runs.trackers.tensorboard import TensorBoard

    said = [started(), *(step(n) for n in (1, 2, 3)), Validation(step=3, instance=0.5, prior=None), preview(folder, 3)]
    assert not follow(folder, [said], lambda: TensorBoard(folder))
    found = board(folder)
    for event in said:
        at, values = figures(event)
        for name, value in values.items():
            point = next(point for point in found.Scalars(name) if point.step == at)
            assert point.value == pytest.approx(value)
            assert point.wall_time == pytest.approx(event.time)
    assert len(found.Scalars("loss/total")) == 3
    picture = found.Images("previews/dog-1")[0]
    assert (picture.step, picture.width, picture.height) == (3, 8, 6)


def test_every_figure_of_a_step_has_a_name() -> None:
    assert set(STEP_NAMES) == set(STEP_SERIES)


def test_a_resumed_run_hides_the_lost_end_of_its_earlier_life_in_tensorboard(folder: Path) -> None:
    from core.runs.trackers.tensorboard import TensorBoard

    lives = [[started(), *(step(n) for n in range(1, 6))],
             [started(resumed_from=2), *(step(n, loss=9.0) for n in (3, 4))]]  # fmt: skip
    assert not follow(folder, lives, lambda: TensorBoard(folder))
    points = {point.step: point.value for point in board(folder).Scalars("loss/total")}
    assert sorted(points) == [1, 2, 3, 4], "step 5 was never trained in the life that counts"
    assert points[3] == points[4] == 9.0


class Library(types.ModuleType):
    """Stands for wandb: notes what it is told."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.told: list[dict[str, Any]] = []
        self.asked: dict[str, Any] = {}
        self.config = types.SimpleNamespace(update=lambda values, **_: self.asked.update(values))
        self.finished = False

    def Settings(self, **values: Any) -> dict[str, Any]:
        return values

    def Image(self, path: str, caption: str) -> tuple[str, str]:
        return path, caption

    def init(self, **values: Any) -> Library:
        self.asked |= values
        return self

    def define_metric(self, *_: Any, **__: Any) -> None: ...

    def log(self, values: dict[str, Any]) -> None:
        self.told.append(values)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setitem(sys.modules, "wandb", made)
    monkeypatch.setenv("WANDB_MODE", "offline")
    return made


def test_weights_and_biases_gets_every_figure_and_preview(run: Run, library: Library) -> None:
    from core.runs.trackers.weights_and_biases import WeightsAndBiases

    config = with_changes(run.config(), {"tracking.wandb_project": "dogs"})
    said = [started(), step(1), Validation(step=1, instance=0.5, prior=0.25), preview(run.path, 1)]
    assert not follow(run.path, [said], lambda: WeightsAndBiases(config, run.path))
    assert library.asked["project"] == "dogs" and library.asked["resume"] == "allow"
    assert library.told[0] == {"step": 1} | figures(said[1])[1]
    assert library.told[1] == {"step": 1, "validation/instance": 0.5, "validation/prior": 0.25}
    assert library.told[2]["previews/dog-1"][1] == "a sks dog (seed 1)"
    assert library.finished


def test_a_run_goes_on_with_its_own_curve_alone(run: Run, library: Library) -> None:
    from core.runs.trackers.weights_and_biases import WeightsAndBiases

    def curve(of: Run) -> str:
        WeightsAndBiases(with_changes(of.config(), {"tracking.wandb_project": "dogs"}), of.path)
        return str(library.asked["id"])

    config, first = run.config(), curve(run)
    assert curve(run) == first and re.fullmatch(r"[a-z0-9]{8,64}", first)
    renamed = Run(run.home, "renamed")
    run.path.rename(renamed.path)
    assert curve(renamed) == first
    shutil.rmtree(renamed.path)
    assert curve(Run.create(run.home, config, "0.1.0")) != first


def test_what_is_sent_holds_no_folder_of_this_computer(run: Run, library: Library) -> None:
    from core.runs.trackers.weights_and_biases import WeightsAndBiases

    changes = {"tracking.wandb_project": "x", "concepts.0.instance.directory": "/home/ann/secret/dog"}
    WeightsAndBiases(with_changes(run.config(), changes), run.path)
    assert library.asked["config"]["concepts.0.instance.directory"] == "dog"
    assert "/home/ann" not in json.dumps(library.asked["config"], default=str)


def test_the_real_library_keeps_a_run_without_a_network(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from core.runs.trackers.weights_and_biases import WeightsAndBiases

    monkeypatch.setenv("WANDB_MODE", "offline")
    config = with_changes(run.config(), {"tracking.wandb_project": "dogs"})
    assert not follow(
        run.path, [[started(), step(1), preview(run.path, 1)]], lambda: WeightsAndBiases(config, run.path)
    )
    kept = list((run.path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(kept) == 1 and kept[0].stat().st_size > 0


def test_a_tracker_that_fails_is_told_once_and_training_goes_on(
    run: Run,
    trains: Callable[[Body], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> trackers.Tracker:
        raise ConnectionError("no way to the server")

    monkeypatch.setattr("core.runs.pump.wanted", lambda config, folder: [("Weights & Biases", broken)])

    def body(folder: Path, poll: Callable[[], Sequence[Any]]) -> Iterator[Event]:
        import time

        yield started()
        for number in range(1, 6):
            time.sleep(0.1)
            yield step(number)
        yield Done(step=5, seconds=1.0)

    trains(body)
    assert train(run, resume=False).kind == "done"
    warned = [event for event in read_journal(run.journal_path) if isinstance(event, Warned)]
    assert len(warned) == 1 and warned[0].code == "tracking.failed"
    assert "no way to the server" in warned[0].message and "Training goes on" in warned[0].message


@pytest.mark.parametrize("closing", [None, OSError("gone too")])
def test_a_tracker_that_fails_on_its_way_is_closed_and_told_once(folder: Path, closing: Exception | None) -> None:
    calls: list[str] = []

    class Fails:
        title = "It"

        def tell(self, event: Event) -> None:
            raise ConnectionError("no way to the server")

        def flush(self) -> None: ...

        def close(self) -> None:
            calls.append("close")
            if closing is not None:
                raise closing

    troubles = follow(folder, [[started(), step(1)]], Fails)
    assert calls == ["close"]
    assert len(troubles) == 1 and "no way to the server" in troubles[0]


def test_the_end_of_a_run_does_not_wait_for_a_tracker_that_hangs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(trackers, "CLOSE_SECONDS", 0.2)
    never = threading.Event()

    class Hangs:
        title = "It"
        tell = flush = close = lambda self, *_: never.wait()

    assert not follow(folder, [[started(), step(1)]], Hangs)
    never.set()


def test_only_what_is_switched_on_is_told(run: Run) -> None:
    none = with_changes(run.config(), {"tracking.tensorboard": False})
    both = with_changes(run.config(), {"tracking.wandb_project": "dogs", "tracking.tensorboard": True})
    assert list(trackers.wanted(none, run.path)) == []
    assert [title for title, _ in trackers.wanted(both, run.path)] == ["TensorBoard", "Weights & Biases"]


def test_being_signed_in_is_a_key_a_netrc_entry_or_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    known = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(known))
    assert not signed_in()
    known.write_text("machine api.wandb.ai login user password key\n", encoding="utf-8")
    known.chmod(0o600)
    assert signed_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://other.example")
    assert not signed_in()
    monkeypatch.setenv("WANDB_API_KEY", "k")
    assert signed_in()
    assert tracking.SERVER.endswith("wandb.ai")


def test_the_first_event_of_a_life_is_its_start(folder: Path) -> None:
    """A tracker sees this life alone: what stood in the journal before is not told twice."""
    seen: list[Event] = []

    class Notes:
        title = "It"

        def tell(self, event: Event) -> None:
            seen.append(event)

        def flush(self) -> None: ...

        def close(self) -> None: ...

    follow(folder, [[started(), step(1)], [started(resumed_from=1), step(2)]], Notes)
    assert [type(event) for event in seen].count(RunStarted) == 2
    assert [event.step for event in seen if hasattr(event, "step")] == [1, 2]
