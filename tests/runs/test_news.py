"""What counts as the end of a run while somebody looks."""

from __future__ import annotations

from core.events import Done, Failed, Stopped
from core.runs.history import Summary
from core.runs.news import Ending, News
from core.runs.overview import Listed
from core.texts import message

DONE = Done(step=9, seconds=1.0, time=100.0)
FAILED = Failed(code="x", message="no", time=200.0)
STOPPED = Stopped(step=9, saved=True, time=300.0)


def listed(name: str, ending: Ending | None) -> Listed:
    return Listed(name, Summary(name, "done", 9, 9, 0.1, None, 0, "/x", 1.0, ending=ending))


def test_what_had_ended_before_is_no_news_and_each_end_is_told_once() -> None:
    news = News()
    assert news.of([listed("old", DONE), listed("new", None)]) == []
    assert news.of([listed("old", DONE), listed("new", FAILED)]) == [("new", FAILED)]
    assert news.of([listed("old", DONE), listed("new", FAILED)]) == []
    assert news.of([listed("old", STOPPED), listed("new", None)]) == [("old", STOPPED)]


def test_a_run_that_came_and_ended_between_two_looks_is_told() -> None:
    news = News()
    news.of([])
    assert news.of([listed("quick", DONE)]) == [("quick", DONE)]


def test_another_name_is_no_end_and_neither_is_a_journal_that_can_be_read_again() -> None:
    news = News()
    news.of([listed("old", DONE), Listed("odd", None, message("x", "It cannot be read."))])
    assert news.of([listed("renamed", DONE), listed("odd", FAILED)]) == []
    assert news.of([listed("odd", STOPPED)]) == [("odd", STOPPED)]
