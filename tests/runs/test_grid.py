"""Previews in rows of one prompt and seed, and columns of steps."""

from __future__ import annotations

from core.events import Sample
from core.runs.grid import Row, counterpart, grid_of, nearest


def sample(step: int, prompt: str = "a dog", seed: int = 1, path: str = "") -> Sample:
    return Sample(step=step, path=path or f"{step}-{prompt}-{seed}.png", prompt=prompt, seed=seed)


def test_a_row_is_a_prompt_with_a_seed_and_a_column_a_step() -> None:
    grid = grid_of([sample(10), sample(10, seed=2), sample(5), sample(10, "a cat")])
    assert grid.rows == (Row("a dog", 1), Row("a dog", 2), Row("a cat", 1))
    assert grid.steps == (5, 10)
    assert [[bool(grid.at(row, column)) for column in (0, 1)] for row in (0, 1, 2)] == [[1, 1], [0, 1], [0, 1]]
    found = grid.at(0, 0)
    assert found is not None and found.step == 5


def test_the_class_beside_the_subject_has_a_row_of_its_own() -> None:
    plain = Sample(step=1, path="b", prompt="a dog", seed=1, of_class=True)
    assert len(grid_of([sample(1), plain]).rows) == 2


def test_of_two_previews_in_one_place_the_later_counts() -> None:
    found = grid_of([sample(1, path="old"), sample(1, path="new")]).at(0, 0)
    assert found is not None and found.path == "new"


def test_there_is_nothing_outside() -> None:
    grid = grid_of([sample(1)])
    assert [grid.at(*place) for place in ((-1, 0), (0, -1), (1, 0), (0, 1))] == [None] * 4
    assert grid_of([]).at(0, 0) is None


def test_nearest_is_the_step_itself_or_its_neighbours() -> None:
    assert nearest([50, 100, 150], 100) == [100]
    assert nearest([150, 50, 100], 110) == [100, 150]
    assert nearest([50], 110) == [50] and nearest([150], 110) == [150] and nearest([], 1) == []


def test_beside_a_preview_stands_the_one_most_like_it_of_another_run() -> None:
    plain = Sample(step=10, path="plain", prompt="a dog", seed=1, of_class=True)
    other = grid_of([sample(10), sample(40), sample(10, "a cat"), sample(10, seed=2), plain])
    for asked, found in (
        (sample(12), "10-a dog-1.png"), (sample(25), "40-a dog-1.png"), (sample(90), "40-a dog-1.png"),
        (sample(40, "a cat", seed=7), "10-a cat-1.png"), (sample(1, "a sks dog", seed=2), "10-a dog-2.png"),
        (Sample(step=40, path="", prompt="a bird", seed=3, of_class=True), "plain"),
    ):  # fmt: skip
        held = counterpart(asked, other)
        assert held is not None and held.path == found
    assert counterpart(sample(1), grid_of([])) is None
