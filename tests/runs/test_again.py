"""A run goes on with as many processes as trained it before."""

from __future__ import annotations

import json

import pytest

from core.machine import Card, Machine
from core.place import Place
from core.runs import again
from core.runs.again import Share, share_of
from core.runs.folder import Run


def machine(*free: int, cores: int = 8) -> Machine:
    cards = tuple(Card(f"GPU-{number}", "X", 24, space) for number, space in enumerate(free))
    return Machine("cuda" if cards else "cpu", "X" if cards else "", 24, 20, 64, 60, cores, True, max(1, len(cards)),
                   cards)  # fmt: skip


@pytest.fixture
def saved(run: Run) -> Run:
    """Its older state by one process, its newest by two."""
    for step, processes in ((999_999, 1), (1_000_000, 2)):
        folder = run.checkpoints / f"step-{step:06d}"
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(json.dumps({"step": step, "batch": 2, "processes": processes}))
    return run


@pytest.mark.parametrize(
    ("here", "share"),
    [
        (machine(5, 20, 24), Share(2, ("GPU-1", "GPU-2"))),
        (machine(24), Share()),
        (machine(), Share(2)),
        (machine(cores=1), Share()),
    ],
)
def test_it_gets_the_freest_cards_and_one_process_where_there_are_not_so_many(
    saved: Run, here: Machine, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "inspect_machine", lambda *, all_cards: here)
    assert share_of(saved) == share


@pytest.mark.parametrize("state", ['{"processes": 1}', "{}", '{"processes": "two"}', "[]", "{", None])
def test_one_process_or_an_unknown_number_looks_at_no_card(
    run: Run, state: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "inspect_machine", lambda **_: pytest.fail("looked"))
    if state is not None:
        (run.checkpoints / "step-000004").mkdir(parents=True)
        (run.checkpoints / "step-000004" / "state.json").write_text(state)
    assert share_of(run) == Share()


def test_what_is_started_is_told_so() -> None:
    cards, two = Share(2, ("GPU-1", "GPU-2")), Share(2)
    assert [Share().arguments(background=background) for background in (True, False)] == [{}, {}]
    assert [cards.arguments(background=background) for background in (True, False)] == [{"cards": cards.cards}] * 2
    assert two.arguments(background=True) == {"processes": 2}
    assert two.arguments(background=False) == {"place": Place(count=2, local_count=2)}
