from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.data.batches import BatchPlan, Slot
from core.data.sizes import Size
from core.texts import UserError


@dataclass(frozen=True)
class Shape:
    instances: list[int]
    repeats: list[int]
    priors: list[int]
    size: int
    accumulation: int
    seed: int

    @property
    def entries(self) -> int:
        return sum(count * times for count, times in zip(self.instances, self.repeats, strict=True))

    @property
    def batch(self) -> int:
        return self.size * self.accumulation

    def plan(self, incomplete: str, **changes: Any) -> BatchPlan:
        return BatchPlan(**(self.__dict__ | {"incomplete": incomplete} | changes))

    def expected(self) -> Counter[tuple[int, int]]:
        """How often each (concept, picture) belongs into an epoch."""
        concepts = enumerate(zip(self.instances, self.repeats, strict=True))
        return Counter({(c, i): times for c, (count, times) in concepts for i in range(count)})


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    concepts = draw(st.integers(1, 3))
    numbers = lambda least, most: draw(st.lists(st.integers(least, most), min_size=concepts, max_size=concepts))  # noqa: E731
    return Shape(
        numbers(1, 6), numbers(1, 3), numbers(0, 7), draw(st.integers(1, 5)), draw(st.integers(1, 3)),
        draw(st.integers(0, 2**32 - 1)),
    )  # fmt: skip


def epoch(plan: BatchPlan, number: int) -> list[Slot]:
    steps = range(number * plan.steps_per_epoch, (number + 1) * plan.steps_per_epoch)
    return list(chain.from_iterable(plan.step(step) for step in steps))


def seen(slots: list[Slot]) -> Counter[tuple[int, int]]:
    return Counter((slot.concept, slot.instance) for slot in slots)


@given(shapes(), st.integers(0, 5))
def test_every_picture_times_repeats_exactly_once_an_epoch(shape: Shape, number: int) -> None:
    plan = shape.plan("error", size=1, accumulation=shape.entries)
    assert seen(epoch(plan, number)) == shape.expected()
    assert plan.samples_per_epoch == shape.entries
    assert plan.steps_per_epoch == 1


@given(shapes(), st.integers(0, 5))
def test_wrap_adds_just_enough_to_fill_the_last_step(shape: Shape, number: int) -> None:
    plan = shape.plan("wrap")
    slots = epoch(plan, number)
    assert len(slots) == plan.samples_per_epoch == -(-shape.entries // shape.batch) * shape.batch
    extra = seen(slots) - shape.expected()
    assert not shape.expected() - seen(slots)
    assert extra.total() == plan.samples_per_epoch - shape.entries
    turns = -(-extra.total() // shape.entries)
    assert all(count <= turns * shape.expected()[picture] for picture, count in extra.items())


@given(shapes(), st.integers(0, 5))
def test_drop_leaves_out_only_what_does_not_fill_a_step(shape: Shape, number: int) -> None:
    assume(shape.entries >= shape.batch)
    plan = shape.plan("drop")
    slots = epoch(plan, number)
    assert len(slots) == plan.samples_per_epoch == shape.entries // shape.batch * shape.batch
    assert not seen(slots) - shape.expected()


@given(shapes(), st.sampled_from(["wrap", "drop"]))
def test_pictures_take_turns_at_being_repeated_or_left_out(shape: Shape, incomplete: str) -> None:
    assume(incomplete == "wrap" or shape.entries >= shape.batch)
    plan = shape.plan(incomplete)
    total: Counter[tuple[int, int]] = Counter()
    for number in range(shape.entries):
        total += seen(epoch(plan, number))
    assert total == Counter({key: times * plan.samples_per_epoch for key, times in shape.expected().items()})


@given(shapes())
def test_error_refuses_what_does_not_divide(shape: Shape) -> None:
    if shape.entries % shape.batch == 0:
        assert shape.plan("error").samples_per_epoch == shape.entries
    else:
        with pytest.raises(UserError) as caught:
            shape.plan("error")
        assert caught.value.code == "batch.incomplete"


@given(shapes())
def test_a_batch_larger_than_the_epoch_is_refused_by_drop(shape: Shape) -> None:
    with pytest.raises(UserError) as caught:
        shape.plan("drop", size=shape.entries + 1)
    assert caught.value.code == "batch.too-large"


def test_a_concept_without_pictures_is_refused() -> None:
    for instances in ([], [0], [3, 0]):
        with pytest.raises(UserError) as caught:
            BatchPlan(instances, [1] * len(instances), [0] * len(instances), 1, 1, "wrap", 0)
        assert caught.value.code == "batch.no-pictures"


@given(shapes(), st.lists(st.integers(0, 60), max_size=10), st.sampled_from(["wrap", "drop"]))
def test_a_step_depends_only_on_seed_and_step(shape: Shape, steps: list[int], incomplete: str) -> None:
    assume(incomplete == "wrap" or shape.entries >= shape.batch)
    used = shape.plan(incomplete)
    for step in steps:
        slots = used.step(step)
        assert slots == shape.plan(incomplete).step(step)
        assert [slot.index for slot in slots] == list(range(shape.batch))


@given(shapes(), st.integers(0, 30))
def test_how_the_product_is_factored_does_not_matter(shape: Shape, step: int) -> None:
    plain = shape.plan("wrap", size=shape.batch, accumulation=1)
    assert shape.plan("wrap").step(step) == plain.step(step)
    assert shape.plan("wrap", size=1, accumulation=shape.batch).step(step) == plain.step(step)


@settings(deadline=None)
@given(shapes(), st.integers(1, 80), st.sampled_from(["wrap", "drop"]))
def test_at_any_moment_class_pictures_were_used_equally_often(shape: Shape, steps: int, incomplete: str) -> None:
    assume(incomplete == "wrap" or shape.entries >= shape.batch)
    plan = shape.plan(incomplete)
    slots = list(chain.from_iterable(plan.step(step) for step in range(steps)))
    for concept, count in enumerate(shape.priors):
        used = Counter(slot.prior for slot in slots if slot.concept == concept)
        if count == 0:
            assert set(used) <= {None}
        else:
            times = [used[index] for index in range(count)]
            assert sum(times) == used.total()
            assert max(times) - min(times) <= 1


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    plan = BatchPlan([30], [1], [7], 1, 1, "error", 1)
    other = BatchPlan([30], [1], [7], 1, 1, "error", 2)
    orders = {tuple(slot.instance for slot in epoch(plan, number)) for number in range(4)}
    orders.add(tuple(slot.instance for slot in epoch(other, 0)))
    assert len(orders) == 5
    assert epoch(plan, 0)[0].prior != epoch(other, 0)[0].prior or epoch(plan, 0) != epoch(other, 0)


def test_each_round_of_class_pictures_has_an_order_of_its_own() -> None:
    plan = BatchPlan([1, 1], [1, 1], [20, 20], 2, 1, "error", 1)
    slots = list(chain.from_iterable(plan.step(step) for step in range(60)))
    for concept in range(2):
        used = [slot.prior for slot in slots if slot.concept == concept]
        assert len({tuple(used[start : start + 20]) for start in (0, 20, 40)}) == 3
    assert {slot.prior for slot in slots[:40] if slot.concept == 0} == set(range(20))


def test_which_pictures_take_the_first_turn_follows_the_seed() -> None:
    dropped = {
        next(iter(set(range(11)) - {slot.instance for slot in epoch(BatchPlan([11], [1], [0], 10, 1, "drop", s), 0)}))
        for s in range(8)
    }
    assert len(dropped) > 1


def test_a_negative_step_is_a_bug() -> None:
    with pytest.raises(ValueError, match="-1"):
        BatchPlan([3], [1], [0], 1, 1, "error", 0).step(-1)


WIDE, TALL, SQUARE = Size(48, 80), Size(80, 48), Size(64, 64)


@dataclass(frozen=True)
class Bucketed(Shape):
    """A shape whose pictures have sizes of their own, some concepts in buckets that no other has."""

    sizes: tuple[tuple[Size, ...], ...] = ()

    def in_bucket(self, size: Size) -> int:
        return sum(times for (c, i), times in self.expected().items() if self.sizes[c][i] == size)


@st.composite
def bucketed(draw: st.DrawFn) -> Bucketed:
    shape = draw(shapes())
    sizes = tuple(tuple(draw(st.sampled_from([WIDE, TALL, SQUARE])) for _ in range(count)) for count in shape.instances)
    return Bucketed(**shape.__dict__, sizes=sizes)


@given(bucketed(), st.integers(0, 60))
def test_each_step_has_pictures_of_one_size_whatever_concepts_they_are_of(shape: Bucketed, step: int) -> None:
    slots = shape.plan("wrap").step(step)
    assert len({shape.sizes[slot.concept][slot.instance] for slot in slots}) == 1


@given(bucketed(), st.integers(0, 4))
def test_each_bucket_is_filled_or_cut_by_itself(shape: Bucketed, number: int) -> None:
    for incomplete in ("wrap", "drop"):
        counts = {size: shape.in_bucket(size) for size in (WIDE, TALL, SQUARE)}
        rounded = {size: (-(-count // shape.batch) if incomplete == "wrap" else count // shape.batch) * shape.batch
                   for size, count in counts.items()}  # fmt: skip
        if not sum(rounded.values()):
            with pytest.raises(UserError, match=r"fill a single step"):
                shape.plan(incomplete)
            continue
        plan = shape.plan(incomplete)
        assert plan.samples_per_epoch == sum(rounded.values())
        got = Counter(shape.sizes[slot.concept][slot.instance] for slot in epoch(plan, number))
        assert got == Counter({size: count for size, count in rounded.items() if count})


@given(bucketed())
def test_with_buckets_too_pictures_take_turns_at_being_repeated(shape: Bucketed) -> None:
    plan, rounds = shape.plan("wrap"), math.lcm(*(max(1, shape.in_bucket(size)) for size in (WIDE, TALL, SQUARE)))
    assume(rounds * plan.samples_per_epoch < 5000)
    total: Counter[tuple[int, int]] = Counter()
    for number in range(rounds):
        total += seen(epoch(plan, number))
    for size in (WIDE, TALL, SQUARE):
        shares = {total[c, i] / times for (c, i), times in shape.expected().items() if shape.sizes[c][i] == size}
        assert len(shares) <= 1


@given(bucketed(), st.lists(st.integers(0, 60), max_size=10))
def test_with_buckets_too_a_step_depends_only_on_seed_and_step(shape: Bucketed, steps: list[int]) -> None:
    used = shape.plan("wrap")
    for step in steps:
        assert used.step(step) == shape.plan("wrap").step(step)


@settings(deadline=None)
@given(bucketed(), st.integers(1, 80))
def test_with_buckets_too_class_pictures_were_used_equally_often(shape: Bucketed, steps: int) -> None:
    plan = shape.plan("wrap")
    slots = list(chain.from_iterable(plan.step(step) for step in range(steps)))
    for concept, count in enumerate(shape.priors):
        times = [Counter(slot.prior for slot in slots if slot.concept == concept)[index] for index in range(count)]
        assert not count or max(times) - min(times) <= 1


def test_the_bucket_that_does_not_divide_is_named() -> None:
    sizes = [[WIDE] * 4 + [TALL] * 3]
    with pytest.raises(UserError) as caught:
        BatchPlan([7], [1], [0], 2, 1, "error", 0, sizes)
    assert "3 of 48 × 80 px" in str(caught.value) and "80 × 48" not in str(caught.value)
    assert BatchPlan([7], [2], [0], 2, 1, "error", 0, sizes).steps_per_epoch == 7


def test_the_buckets_take_turns_in_an_order_of_the_seed() -> None:
    sizes = [[WIDE] * 8 + [TALL] * 8]

    def order(seed: int, number: int) -> tuple[bool, ...]:
        plan = BatchPlan([16], [1], [0], 2, 1, "error", seed, sizes)
        return tuple(slot.instance < 8 for slot in epoch(plan, number))

    assert len({order(seed, number) for seed in range(3) for number in range(3)}) > 6
