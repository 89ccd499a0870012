from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from core.events import Continued, Event, Paused, Warned
from core.training.requests import Command, Requests, StopRequested
from tests.training.asking import Asked


class Queue:
    """Delivers one list of commands a poll, then nothing."""

    def __init__(self, *rounds: Sequence[Asked]) -> None:
        self.rounds = list(rounds)
        self.polls = 0

    def __call__(self) -> Sequence[Asked]:
        self.polls += 1
        return self.rounds.pop(0) if self.rounds else []


def act(command: Command) -> Iterator[Event]:
    yield Warned(code=command.command, message="done", id=command.id)


def nothing() -> Iterator[Event]:
    return iter(())


def test_what_was_saved_while_paused_is_told_while_paused() -> None:
    saved = iter([Warned(code="saved", message="")])
    queue = Queue([Asked("pause", "a")], [], [], [Asked("continue", "b")])
    events = list(Requests(queue).obey(7, act, lambda: iter(list(saved))))
    assert [event.kind for event in events] == ["paused", "warning", "continued"]


def test_a_pause_waits_until_it_is_told_to_continue() -> None:
    queue = Queue([Asked("pause", "a")], [], [Asked("continue", "b")])
    events = list(Requests(queue).obey(7, act, nothing))
    assert [(type(event), event.id) for event in events] == [(Paused, "a"), (Continued, "b")]  # type: ignore[attr-defined]
    assert queue.polls == 3


def test_save_and_sample_work_while_paused() -> None:
    queue = Queue([Asked("pause", "a")], [Asked("save", "b"), Asked("continue", "c")])
    assert [event.id for event in Requests(queue).obey(7, act, nothing)] == ["a", "b", "c"]  # type: ignore[attr-defined]


def test_a_stop_ends_a_pause() -> None:
    requests = Requests(Queue([Asked("pause", "a")], [Asked("stop", "b")]))
    assert len(list(requests.obey(7, act, nothing))) == 1
    assert requests.stop is not None


def test_every_command_is_answered_with_its_id() -> None:
    queue = Queue([Asked("continue", "a"), Asked("pause", "b"), Asked("pause", "c"), Asked("continue", "d")])
    assert [event.id for event in Requests(queue).obey(0, act, nothing)] == ["a", "b", "c", "d"]  # type: ignore[attr-defined]


def test_long_work_is_abandoned_only_for_a_stop() -> None:
    requests = Requests(Queue([Asked("save", "a")], [Asked("stop", "b")]))
    requests.look_or_stop()
    with pytest.raises(StopRequested):
        requests.look_or_stop()


@pytest.mark.parametrize(("command", "words"), [("save", "saved"), ("sample", "No preview")])
def test_before_the_first_step_a_save_is_answered_with_a_no(command: str, words: str) -> None:
    events = list(Requests(Queue([Asked(command, "a")])).obey_early())
    assert [(type(event), event.id) for event in events] == [(Warned, "a")]  # type: ignore[attr-defined]
    told = events[0].message  # type: ignore[attr-defined]
    assert "not begun" in told and words in told and "sample" not in told


def test_what_is_left_at_the_end_is_known_with_a_stop_that_another_took_the_place_of() -> None:
    requests = Requests(Queue([Asked("save", "a"), Asked("stop", "b"), Asked("stop", "c")], [Asked("sample", "d")]))
    requests.look()
    assert requests.stop is not None and requests.stop.id == "c"
    assert [command.id for command in requests.left_over()] == ["a", "b", "d"]
    assert requests.left_over() == []
