"""Two processes train as one: the same updates, what is asked for reaches both, what goes wrong is known to both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core.config.options import RunConfig
from core.events import Event, RunStarted, Step, Stopped, Warned
from core.runs.folder import Run
from core.tensors import read_tensors
from core.texts import UserError
from core.training.checkpoints import list_checkpoints, read_state
from core.training.exchange import Exchange
from core.training.optimization import Optimization
from core.training.ranks import RankLost
from tests.training.partner import LEFT_OUT, Partner, exchanged
from tests.training.runs import final_weights, quick_config, run_to_end


@pytest.fixture(scope="module")
def partner() -> Iterator[Partner]:
    made = Partner()
    yield made
    made.end()


def config_of(source: Path, pictures: Path, **changes: Any) -> RunConfig:
    """Four pictures and as many of the class in three steps, by an AdamW that does not blow up the rounding of
    gradients near 0. The text encoder stops after the first.
    """
    usual = {"performance__eps": 1e-2, "concepts__0__prior__images_per_instance": 1, "intervals__epochs": 3}
    return quick_config(source, pictures, **(usual | {"batch__accumulation": 2} | changes))


def updates_of(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """What every update of this process is made of, as it comes."""
    seen: list[dict[str, Tensor]] = []
    original = Optimization.update

    def update(self: Optimization, norm: Tensor) -> None:
        seen.append({self.names[p]: p.grad.clone() for p in self.parameters() if p.grad is not None})
        original(self, norm)

    monkeypatch.setattr(Optimization, "update", update)
    return seen


def travels_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Of every step: how many pieces had gone when its last pass was over, and how many there are."""
    seen: list[tuple[int, int]] = []
    original = Exchange.finish

    def finish(self: Exchange, *, short: bool) -> bool:
        seen.append((self._sent, len(self._pieces)))
        return original(self, short=short)

    monkeypatch.setattr(Exchange, "finish", finish)
    return seen


def weights_of(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the newest state that is not the optimizer's."""
    _, newest = list_checkpoints(folder / "checkpoints")[-1]
    return {
        f"{file.stem}/{name}": tensor
        for file in newest.glob("*.safetensors")
        if file.stem != "optimizer"
        for name, tensor in read_tensors(file).items()
    }


def steps_of(events: list[Event]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("sd1", {"performance__ema": True}),
        ("sdxl", {"performance__gradient_checkpointing": True}),
        ("sd1", {"lora__enabled": True}),
        ("sdxl", {"lora__enabled": True}),
    ],
    ids=["sd1", "sdxl", "sd1-lora", "sdxl-lora"],
)
def test_two_processes_make_the_updates_of_one_with_twice_the_accumulation(
    tmp_path: Path, tiny_of: Callable[[str], Path], pictures: Path, partner: Partner, monkeypatch: pytest.MonkeyPatch,
    family: str, changes: dict[str, Any],
) -> None:  # fmt: skip
    seen = updates_of(monkeypatch)
    one = config_of(tiny_of(family), pictures, batch__accumulation=4, **changes)
    alone = run_to_end(one, tmp_path / "one")
    expected = list(seen)
    seen.clear()
    two = config_of(tiny_of(family), pictures, **changes)
    together = partner.train(two, tmp_path)
    assert [step.loss for step in steps_of(together)] == pytest.approx([s.loss for s in steps_of(alone)], rel=1e-5)
    assert len(seen) == len(expected) == 3
    for ours, theirs in zip(seen, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, gradient in ours.items():
            torch.testing.assert_close(gradient, theirs[name], rtol=1e-4, atol=2e-6, msg=lambda m, n=name: f"{n}: {m}")
    ours, theirs = weights_of(tmp_path / "runs" / "quick"), weights_of(tmp_path / "one")
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
    state = read_state(list_checkpoints(tmp_path / "runs" / "quick" / "checkpoints")[-1][1])
    assert (state.batch, state.processes, state.text_encoder_stopped) == (4, 2, True)


def test_a_parameter_has_the_sum_of_the_gradients_of_all_and_none_where_nobody_had_one(
    tmp_path: Path, partner: Partner
) -> None:
    run = Run(tmp_path, "toy")
    with partner.together(run, fault="toy") as ranks:
        seen = exchanged(ranks)
    assert partner.outcome() == str(seen)
    for gradients, left_out in zip(seen, LEFT_OUT, strict=True):
        expected = {name: sum(name not in without for without in left_out) for name in "abc"}
        assert gradients == {name: count or None for name, count in expected.items()}


def test_gradients_travel_while_the_last_pass_goes_on_once_their_order_is_known(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.exchange.PIECE_BYTES", 2**40)
    travels = travels_of(monkeypatch)
    partner.train(config_of(tiny_sd1, pictures, performance__text_encoder_ratio=1.0), tmp_path)
    assert travels == [(0, 0), (1, 1), (1, 1)]


@dataclass(frozen=True)
class Asked:
    command: str
    id: str
    fields: dict[str, Any] = field(default_factory=dict)


class Wishes:
    """A poll that delivers these after so many steps."""

    def __init__(self, wishes: dict[int, Sequence[Asked]]) -> None:
        self._wishes, self._step = wishes, 0

    def hear(self, event: Event) -> None:
        self._step = event.step if isinstance(event, Step) else self._step

    def __call__(self) -> Sequence[Asked]:
        return self._wishes.pop(self._step, ())


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, tiny_sd1: Path, pictures: Path, partner: Partner
) -> dict[str, str]:
    """The hashes of what a run of both comes to where nothing happens."""
    home = tmp_path_factory.mktemp("undisturbed")
    partner.train(config_of(tiny_sd1, pictures), home)
    return final_weights(home / "runs" / "quick")


def test_what_is_asked_of_the_first_reaches_both_and_a_stop_is_resumed_to_the_bit(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner, undisturbed: dict[str, str]
) -> None:
    config = config_of(tiny_sd1, pictures)
    asked = [Asked("pause", "p"), Asked("save", "w"), Asked("sample", "s"), Asked("continue", "c")]
    wishes = Wishes({1: asked, 2: [Asked("stop", "x")]})
    events = partner.train(config, tmp_path, poll=wishes, on_event=wishes.hear)
    answers = {event.id: event.kind for event in events if getattr(event, "id", None)}
    assert answers == {"p": "paused", "w": "checkpoint", "s": "sample", "c": "continued", "x": "stopped"}
    assert [step.step for step in steps_of(events)] == [1, 2]
    [started] = [e for e in partner.train(config, tmp_path, resume=True) if isinstance(e, RunStarted)]
    assert (started.resumed_from, started.exact, started.settled["processes"]) == (2, True, 2)
    assert final_weights(tmp_path / "runs" / "quick") == undisturbed


@pytest.mark.slow
def test_a_stop_that_discards_saves_nothing_and_ends_both(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner
) -> None:
    wishes = Wishes({1: [Asked("stop", "x", {"discard": True})]})
    events = partner.train(config_of(tiny_sd1, pictures), tmp_path, poll=wishes, on_event=wishes.hear)
    assert isinstance(events[-1], Stopped)
    assert not events[-1].saved
    assert not list_checkpoints(tmp_path / "runs" / "quick" / "checkpoints")


def test_lack_of_memory_in_one_makes_both_take_smaller_passes_and_the_same_update(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner
) -> None:
    config = config_of(tiny_sd1, pictures, batch__size=2, batch__accumulation=1)
    partner.train(config, tmp_path / "enough")
    events = partner.train(config, tmp_path / "short", fault="memory 3")  # the first is the dry step
    assert [event.code for event in events if isinstance(event, Warned)] == ["training.smaller-batches"]
    expected, folder = weights_of(tmp_path / "enough" / "runs" / "quick"), tmp_path / "short" / "runs" / "quick"
    for name, weight in weights_of(folder).items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
    assert read_state(list_checkpoints(folder / "checkpoints")[-1][1]).micro_batch == 1


def test_a_step_that_is_not_a_number_in_one_is_skipped_by_both(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner
) -> None:
    events = partner.train(config_of(tiny_sd1, pictures), tmp_path, fault="number 5")
    assert [step.skipped for step in steps_of(events)] == [False, True, False]


def test_where_no_step_is_a_number_any_more_the_first_alone_saves_and_both_end(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner
) -> None:
    config = config_of(tiny_sd1, pictures, intervals__epochs=6)
    with pytest.raises(UserError, match="3 steps in a row gave no number"):
        partner.train(config, tmp_path, fault="numbers 5")  # two passes a step, and a dry one before
    assert "3 steps in a row gave no number" in partner.outcome()
    assert [step for step, _ in list_checkpoints(tmp_path / "runs" / "quick" / "checkpoints")] == [3]


@pytest.mark.slow
def test_another_number_of_processes_goes_on_with_the_same_updates(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner
) -> None:
    config = config_of(tiny_sd1, pictures)
    run_to_end(config_of(tiny_sd1, pictures, batch__accumulation=4), tmp_path / "one")
    wishes = Wishes({2: [Asked("stop", "x")]})
    partner.train(config, tmp_path, poll=wishes, on_event=wishes.hear)
    folder = tmp_path / "runs" / "quick"
    events = run_to_end(config, folder, resume=True)
    assert [step.step for step in steps_of(events)] == [3]
    assert not next(event for event in events if isinstance(event, RunStarted)).exact
    assert "resume.other-processes" in {event.code for event in events if isinstance(event, Warned)}
    expected = weights_of(tmp_path / "one")
    for name, weight in weights_of(folder).items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.slow
def test_a_mistake_of_one_ends_both_and_both_say_it(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner
) -> None:
    with pytest.raises(RankLost, match=r"Process 1 of 2 failed: 0\.png cannot be read.* Bring it back\."):
        partner.train(config_of(tiny_sd1, pictures), tmp_path, fault="picture 6")
    assert "0.png cannot be read" in partner.outcome()
    assert [step for step, _ in list_checkpoints(tmp_path / "runs" / "quick" / "checkpoints")] == [1]


@pytest.mark.slow
def test_other_pictures_in_one_of_the_processes_are_refused(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.prepare.data_hash", lambda *_: "others")
    with pytest.raises(UserError, match="do not see the same pictures"):
        partner.train(config_of(tiny_sd1, pictures), tmp_path)
    assert "do not see the same pictures" in partner.outcome()


def test_one_that_is_killed_ends_the_run_at_once_and_what_was_trained_is_kept(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner, undisturbed: dict[str, str]
) -> None:
    config, victim = config_of(tiny_sd1, pictures), Partner()
    with pytest.raises(RankLost, match="Process 1 of 2 has ended without a word"):
        victim.train(config, tmp_path, fault="kill 6")
    victim.end()
    assert [step for step, _ in list_checkpoints(tmp_path / "runs" / "quick" / "checkpoints")] == [1]
    partner.train(config, tmp_path, resume=True)
    assert final_weights(tmp_path / "runs" / "quick") == undisturbed


@pytest.mark.slow
def test_a_signal_to_another_than_the_first_saves_and_ends_all(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, partner: Partner
) -> None:
    heard: list[str] = []
    config = config_of(tiny_sd1, pictures, intervals__epochs=200)
    poll = lambda: [Asked("stop", "", {"reason": heard.pop()})] if heard else []  # noqa: E731
    events = partner.train(config, tmp_path, poll=poll, on_stop=heard.append, fault="stop 20")
    assert isinstance(events[-1], Stopped)
    assert (events[-1].reason, events[-1].saved) == ("terminated", True)
