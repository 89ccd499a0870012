"""What a journal tells of a run's speed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Checkpoint, Continued, Event, Export, Paused, Phase, RunStarted, Step, Validation, encode
from core.runs.folder import Run
from core.runs.pace import former_paces, pace_of

SETTLED = {"family": "sd1", "resolution": 512, "precision": "bf16", "processes": 1}


def config(name: str = "clock") -> RunConfig:
    return with_changes(RunConfig(), {
        "model.name": name, "model.source": "/models/sd15", "concepts.0.instance.directory": "/pictures",
        "concepts.0.prior.images_per_instance": 1, "concepts.0.prior.steps": 10, "concepts.0.sample.steps": 5,
    })  # fmt: skip


def step(number: int, speed: float, at: float) -> Step:
    return Step(step=number, epoch=1, loss=1, instance_loss=1, prior_loss=None, rate=1e-6, text_encoder_rate=None,
                gradient_norm=1, images_per_second=speed, memory_bytes=0, time=at)  # fmt: skip


def story(speed: float = 4.0, settled: dict[str, object] | None = None, steps: int = 8) -> list[Event]:
    return [
        RunStarted(config_hash="x", versions={}, device="Imagined 24", total_steps=9, steps_per_epoch=3,
                   settled=SETTLED if settled is None else settled, time=100),
        Phase(name="loading", time=101),
        Phase(name="class-images", done=0, total=2, time=110),
        Phase(name="class-images", done=1, total=2, time=130),
        Phase(name="class-images", done=2, total=2, time=150),
        Phase(name="caching", done=1, total=1, time=151),
        Phase(name="training", time=160),
        *(step(number, 0.1 if number <= 3 else speed, 160 + number) for number in range(1, steps + 1)),
        Phase(name="sampling", done=0, total=2, time=200),
        Phase(name="sampling", done=1, total=2, time=210),
        Phase(name="sampling", done=2, total=2, time=220),
        Phase(name="training", done=8, time=221),
        Checkpoint(step=8, path="x", bytes=1, seconds=3.0, time=230),
    ]  # fmt: skip


def test_each_figure_is_what_was_measured_for_one_of_its_kind() -> None:
    pace = pace_of(config(), story())
    assert pace is not None
    assert pace.picture == 0.25, "the first steps of a life do not count"
    assert pace.class_denoising == 20 / 10 and pace.denoising == 10 / 5
    assert pace.save == 3.0
    assert pace.start == 60 - 41, "class pictures are counted apart: until the next phase began"
    assert (pace.kind.device, pace.kind.family, pace.kind.prior) == ("Imagined 24", "sd1", True)


def saved(number: int, at: float) -> Checkpoint:
    return Checkpoint(step=number, path="x", bytes=1, seconds=30.0, time=at)


def exported(size: int, at: float) -> Export:
    return Export(path="x", format="safetensors", bytes=size, time=at)


TEN = [step(number, 2.0, 100 + 2 * number) for number in range(1, 11)]
"""Steps of four pictures, two seconds each."""


def gap_of(between: list[Event], seconds: float) -> float | None:
    """With this between steps 10 and 11, which ends so many seconds later than its pictures take."""
    pace = pace_of(config(), [story()[0], *TEN, *between, step(11, 2.0, 122 + seconds), saved(10, 150)])
    assert pace is not None
    return pace.gap


def test_a_save_costs_what_it_leaves_between_two_steps_and_not_what_is_written_beside_them() -> None:
    assert gap_of([], 0.5) == pytest.approx(0.5)
    assert gap_of([], 0.0) == 0
    assert gap_of([saved(0, 121)], 3.0) == pytest.approx(3.0), "the state before it was waited for"


def test_previews_and_exports_beside_a_save_are_not_counted_with_it() -> None:
    previews = [Phase(name="sampling", total=1, time=120), Phase(name="training", done=10, time=150)]
    assert gap_of(previews, 30.75) == pytest.approx(0.75)
    exports = [Phase(name="exporting", total=1, time=121), exported(10, 140)]
    assert gap_of(exports, 21) == pytest.approx(1.0)
    assert gap_of([Paused(step=10, time=121), Continued(step=10, time=300)], 181) is None


def test_without_a_save_between_two_steps_its_cost_is_not_known() -> None:
    pace = pace_of(config(), [story()[0], *TEN, saved(10, 150)])
    assert pace is not None and pace.gap is None and pace.save == 30.0


def test_a_validation_takes_from_its_step_on() -> None:
    def validated(at: float) -> Validation:
        return Validation(step=8, instance=1.0, prior=None, time=at)

    pace = pace_of(config(), [*story()[:-5], validated(170.25), Phase(name="sampling", time=180), validated(190)])
    assert pace is not None and pace.validation == 2.25, "step 8 was done at 168"


def test_an_export_is_timed_by_the_bytes_that_it_wrote() -> None:
    both = [Phase(name="exporting", total=1, time=200), exported(10, 220), exported(40, 300)]
    pace = pace_of(config(), [*story(), *both])
    assert pace is not None and pace.export == 2.0


@pytest.mark.parametrize("events", [story(steps=3), story(settled={}), story()[1:], [], story(speed=0.0, steps=6)[:-2]])
def test_what_does_not_tell_its_kind_or_its_speed_tells_nothing(events: list[Event]) -> None:
    assert pace_of(config(), events) is None


def make_run(home: Path, name: str, events: list[Event]) -> Run:
    run = Run.create(home, config(name), "0.1.0")
    run.journal_path.write_text("".join(encode(event) + "\n" for event in events))
    return run


def test_the_runs_trained_last_come_first_and_damaged_ones_are_passed_over(tmp_path: Path) -> None:
    for number, (name, speed) in enumerate((("old", 1.0), ("new", 2.0), ("damaged", 3.0))):
        run = make_run(tmp_path, name, story(speed))
        os.utime(run.journal_path, (1000 + number, 1000 + number))
    (tmp_path / "runs" / "damaged" / "run.toml").write_text("no toml [")
    Run.create(tmp_path, config("never-trained"), "0.1.0")
    assert [pace.picture for pace in former_paces(tmp_path)] == [0.5, 1.0]
    assert former_paces(tmp_path / "nowhere") == ()


def test_a_journal_that_has_grown_is_read_anew(tmp_path: Path) -> None:
    run = make_run(tmp_path, "clock", story(4.0, steps=5))
    assert [pace.picture for pace in former_paces(tmp_path)] == [0.25]
    run.journal_path.write_text("".join(encode(event) + "\n" for event in story(2.0, steps=12)))
    assert [pace.picture for pace in former_paces(tmp_path)] == [0.5]
