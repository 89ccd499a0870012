"""What a run in training is asked for is done and answered."""

from __future__ import annotations

from pathlib import Path

from core.config.options import RunConfig
from core.events import Checkpoint, Done, Event, Paused, Phase, Stopped, Warned
from core.training.checkpoints import list_checkpoints
from core.training.trainer import Trainer
from tests.training.asking import AllAtOnce, Asked, AtStep, answers, run_with
from tests.training.runs import final_weights, quick_config, run_to_end


def test_stop_saves_a_state_that_resumes_to_the_same_end(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures)
    run_to_end(config, tmp_path / "whole")
    events = run_with(config, tmp_path / "run", AtStep(Asked("stop", "x")))
    assert isinstance(events[-1], Stopped) and events[-1].saved and events[-1].id == "x"
    assert isinstance(events[-2], Checkpoint) and events[-2].step == events[-1].step > 0
    run_to_end(config, tmp_path / "run", resume=True)
    assert final_weights(tmp_path / "run") == final_weights(tmp_path / "whole")


def test_discard_saves_nothing(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    stop = AtStep(Asked("stop", "x", {"discard": True}))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", stop)
    assert isinstance(events[-1], Stopped) and not events[-1].saved
    assert list_checkpoints(tmp_path / "run" / "checkpoints") == []


def test_pause_save_sample_and_continue_are_obeyed_and_answered(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    asked = AtStep(Asked("pause", "a"), Asked("save", "b"), Asked("sample", "c"), Asked("continue", "d"))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", asked)
    answers = {event.id: event.kind for event in events if getattr(event, "id", None)}
    assert answers == {"a": "paused", "b": "checkpoint", "c": "sample", "d": "continued"}
    assert any(isinstance(event, Paused) for event in events)
    assert isinstance(events[-1], Done)


def test_what_waits_when_a_stop_comes_is_answered(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    asked = AllAtOnce(Asked("save", "a"), Asked("sample", "b"), Asked("stop", "c"), Asked("stop", "d"))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", asked)
    assert answers(events) == {"a": "checkpoint", "b": "warning", "c": "warning", "d": "stopped"}


def test_a_save_that_waits_when_all_is_discarded_is_refused(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    asked = AllAtOnce(Asked("save", "a"), Asked("stop", "b", {"discard": True}))
    events = run_with(quick_config(tiny_sd1, pictures), tmp_path / "run", asked)
    assert answers(events) == {"a": "warning", "b": "stopped"}


def asked_in(phase: str, asked: Asked, config: RunConfig, folder: Path) -> list[Event]:
    """What a run says that is asked for something when it enters `phase`."""
    waiting: list[Asked] = []
    folder.mkdir()
    events: list[Event] = []
    for event in Trainer(config, folder, resume=False, poll=lambda: [waiting.pop()] if waiting else []).run():
        events.append(event)
        if isinstance(event, Phase) and event.name == phase:
            waiting.append(asked)
    return events


def test_what_is_asked_during_the_export_is_answered(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=1, saving__export_when_done=True)
    events = asked_in("exporting", Asked("stop", "a"), config, tmp_path / "run")
    assert answers(events) == {"a": "warning"} and isinstance(events[-1], Done)


def test_a_termination_during_the_last_save_is_not_followed_by_an_export(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    config = quick_config(tiny_sd1, pictures, intervals__max_steps=1, saving__export_when_done=True)
    events = asked_in("saving", Asked("stop", "a", {"reason": "terminated"}), config, tmp_path / "run")
    assert isinstance(events[-1], Stopped) and events[-1].saved and events[-1].step == 1
    assert not any(isinstance(event, Phase) and event.name == "exporting" for event in events)
    assert isinstance(run_to_end(config, tmp_path / "run", resume=True)[-1], Done)


def test_a_preview_where_none_are_made_is_answered(tmp_path: Path, tiny_sd1: Path, pictures: Path) -> None:
    config = quick_config(tiny_sd1, pictures, concepts__0__sample__count=0, intervals__sample_every_steps=1)
    events = run_with(config, tmp_path / "run", AtStep(Asked("sample", "a")))
    assert answers(events) == {"a": "warning"}
    assert len([event for event in events if isinstance(event, Warned)]) == 1, "only what was asked is answered"


def test_a_stop_before_the_first_step_says_that_nothing_is_saved(
    tmp_path: Path, tiny_sd1: Path, pictures: Path
) -> None:
    (tmp_path / "run").mkdir()
    asked = [Asked("stop", "a")]
    trainer = Trainer(
        quick_config(tiny_sd1, pictures), tmp_path / "run", resume=False, poll=lambda: [asked.pop()] if asked else []
    )
    last = list(trainer.run())[-1]
    assert isinstance(last, Stopped) and (last.step, last.saved) == (0, False)
