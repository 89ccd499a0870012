from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.findings import Level
from core.data.scan import Picture, Scan
from core.planning.checks.batches import valid_pairs
from core.planning.facts import Facts
from core.planning.plan import make_plan
from tests.planning.example import codes, config, facts, found, mended, scan_of


def test_batches_that_do_not_come_out_even_are_an_error_and_each_fix_mends_it() -> None:
    world = facts(scans=(scan_of(6),))
    finding = found("batch.incomplete", {"batch.size": 4}, world)
    assert finding.level is Level.ERROR
    pairs = [(fix.changes["batch.size"], fix.changes["batch.accumulation"]) for fix in finding.fixes[:-2]]
    assert pairs == [(3, 1), (1, 3), (3, 2), (6, 1), (2, 3), (1, 6)]
    assert [fix.changes for fix in finding.fixes[-2:]] == [{"batch.incomplete": "wrap"}, {"batch.incomplete": "drop"}]
    for left in mended(finding, {"batch.size": 4}, world):
        assert not left or left <= {"batch.wrap", "batch.drop"}


def test_a_pair_names_one_picture_and_several() -> None:
    offered = [str(fix.label) for fix in found("batch.incomplete", {"batch.size": 4}, facts(scans=(scan_of(3),))).fixes]
    assert "Batch size 3 × accumulation 1 = 3 pictures an update" in offered
    assert "Batch size 1 × accumulation 1 = 1 picture an update" in offered


def test_repeats_count_when_batches_are_divided() -> None:
    world = facts(scans=(scan_of(6),))
    assert codes({"batch.size": 4, "concepts.0.instance.repeats": 2}, world) == set()


def test_drop_and_wrap_say_how_many_pictures_they_cost() -> None:
    world = facts(scans=(scan_of(7),))
    drop = found("batch.drop", {"batch.size": 4, "batch.incomplete": "drop"}, world)
    wrap = found("batch.wrap", {"batch.size": 4, "batch.incomplete": "wrap"}, world)
    assert (drop.level, drop.message.values["rest"]) == (Level.HINT, 3)
    assert (wrap.level, wrap.message.values["rest"]) == (Level.HINT, 1)


@pytest.mark.parametrize(
    ("changes", "per_step"),
    [({"batch.size": 100}, 100), ({"batch.size": 50, "batch.accumulation": 2}, 100), ({"batch.accumulation": 8}, 8)],
)
def test_a_batch_larger_than_all_pictures_says_so(changes: dict[str, Any], per_step: int) -> None:
    world = facts(scans=(scan_of(6),))
    finding = found("batch.repeats", changes | {"batch.incomplete": "wrap"}, world)
    assert finding.message.text == (
        f"A step takes {per_step} pictures and there are only 6: they are repeated until it is full."
    )
    assert finding.message.advice == "Set batch size × accumulation to 6 or less."
    asked = found("batch.incomplete", changes, world)
    assert "94" not in " ".join(str(fix.label) for fix in asked.fixes)
    assert ["batch.repeats" in left for left in mended(asked, changes, world)] == [False] * (len(asked.fixes) - 1) + [
        True
    ]


def test_dropping_every_picture_is_an_error() -> None:
    world = facts(scans=(scan_of(3),))
    changes = {"batch.size": 4, "batch.incomplete": "drop"}
    finding = found("batch.too-large", changes, world)
    assert finding.level is Level.ERROR
    assert all("batch.too-large" not in left for left in mended(finding, changes, world))
    offered = found("batch.incomplete", {"batch.size": 4}, world).fixes
    assert {"batch.incomplete": "drop"} not in [fix.changes for fix in offered]


@given(st.integers(1, 3000), st.integers(1, 64), st.integers(1, 64))
def test_valid_pairs_divide_the_pictures_are_all_there_and_the_nearest_comes_first(
    samples: int, size: int, accumulation: int
) -> None:
    pairs = valid_pairs(samples, size, accumulation)
    assert len(set(pairs)) == len(pairs)
    assert all(samples % (first * second) == 0 for first, second in pairs)
    assert (1, 1) in pairs
    products = [first * second for first, second in pairs]
    asked = size * accumulation
    ratios = [round(max(product / asked, asked / product), 6) for product in products]
    assert ratios == sorted(ratios)
    if samples % asked == 0:
        assert pairs[0] == (size, accumulation)


def shaped(landscape: int, portrait: int) -> Facts:
    """Pictures of 3:2 and of 2:3."""
    sizes = [(1536, 1024)] * landscape + [(1024, 1536)] * portrait
    pictures = tuple(Picture(Path(f"/pictures/dog/{n:02}.png"), *size) for n, size in enumerate(sizes))
    return facts(scans=(Scan(Path("/pictures/dog"), pictures, ()),))


BUCKETS = {"images.buckets": True}


def test_each_bucket_has_to_divide_by_itself_and_is_named_with_its_pairs() -> None:
    changes = BUCKETS | {"batch.size": 4}
    assert "batch.incomplete" not in codes({"batch.size": 4}, shaped(6, 2))
    finding = found("batch.incomplete", changes, shaped(6, 2))
    assert finding.level is Level.ERROR
    assert "640 × 384 px, 6 pictures (3 × 1," in finding.message.text
    assert "384 × 640 px, 2 pictures (2 × 1," in finding.message.text
    pairs = [(fix.changes["batch.size"], fix.changes["batch.accumulation"]) for fix in finding.fixes[:-2]]
    assert pairs == [(2, 1), (1, 2), (1, 1)]
    for left in mended(finding, changes, shaped(6, 2)):
        assert not left & {"batch.incomplete", "batch.too-large"}


def test_a_bucket_that_comes_out_even_is_not_named() -> None:
    text = found("batch.incomplete", BUCKETS | {"batch.size": 4}, shaped(8, 3)).message.text
    assert "384 × 640 px, 3 pictures" in text and "640 × 384" not in text


def test_dropping_says_which_shape_is_never_trained() -> None:
    changes = BUCKETS | {"batch.size": 4, "batch.incomplete": "drop"}
    finding = found("bucket.never", changes, shaped(6, 2))
    assert finding.level is Level.WARNING and "384 × 640" in finding.message.text
    assert "bucket.never" not in codes(changes, shaped(4, 4))
    assert found("batch.too-large", changes, shaped(3, 3)).level is Level.ERROR


def test_the_plan_counts_steps_bucket_by_bucket() -> None:
    made = make_plan(config(BUCKETS | {"batch.size": 4, "batch.incomplete": "wrap"}), shaped(6, 2))
    assert made is not None
    assert [(b.size and b.size.words, b.samples, b.samples_per_epoch, b.steps) for b in made.buckets] == [
        ("640 × 384", 6, 8, 2), ("384 × 640", 2, 4, 1),
    ]  # fmt: skip
    assert (made.samples, made.samples_per_epoch, made.steps_per_epoch) == (8, 12, 3)
    plain = make_plan(config({"batch.size": 4, "batch.incomplete": "wrap"}), shaped(6, 2))
    assert plain is not None and (plain.steps_per_epoch, len(plain.buckets)) == (2, 1)


def test_there_is_no_plan_for_buckets_before_the_resolution_is_known() -> None:
    world = facts(source=None)
    assert make_plan(config(BUCKETS), world) is None
    assert make_plan(config(BUCKETS | {"model.resolution": 512}), world) is not None
