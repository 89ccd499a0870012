from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.options import IntervalOptions
from core.data.batches import BatchPlan
from core.planning.buckets import count_samples
from core.planning.plan import Plan, count_due, count_shown, is_due, is_shown, make_plan, text_encoder_steps
from tests.planning.example import card, config, facts, scan_of, source


def plan(changes: dict[str, Any] | None = None, **world: Any) -> Plan:
    made = make_plan(config(changes), facts(**world))
    assert made is not None
    return made


def test_three_pictures_five_epochs_at_batch_one_are_fifteen_steps() -> None:
    made = plan({"intervals.epochs": 5}, scans=(scan_of(3),))
    assert (made.instance_pictures, made.steps_per_epoch, made.steps) == (3, 3, 15)


def test_class_pictures_ride_along_and_do_not_count() -> None:
    assert plan({"concepts.0.prior.images_per_instance": 5}).steps == plan().steps


def test_repeats_accumulation_and_size_all_count() -> None:
    made = plan({"batch.size": 2, "batch.accumulation": 3, "concepts.0.instance.repeats": 2, "intervals.epochs": 10})
    assert (made.samples, made.images_per_step, made.steps_per_epoch, made.steps) == (24, 6, 4, 40)


def test_max_steps_replaces_epochs() -> None:
    made = plan({"intervals.max_steps": 30, "intervals.epochs": 100})
    assert (made.steps, made.epochs) == (30, 3)
    longer = plan({"intervals.max_steps": 5000, "intervals.epochs": 1})
    assert (longer.steps, longer.epochs) == (5000, 417)


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(1, 4)), min_size=1, max_size=3),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from(["wrap", "drop", "error"]),
)
def test_an_epoch_is_what_the_batches_make_of_it(
    concepts: list[tuple[int, int]], size: int, accumulation: int, incomplete: Any
) -> None:
    samples = sum(pictures * repeats for pictures, repeats in concepts)
    counted = count_samples(samples, size * accumulation, incomplete)
    if counted[1] == 0 or (incomplete == "error" and counted[0] != samples):
        return
    pictures, repeats = zip(*concepts, strict=True)
    batches = BatchPlan(pictures, repeats, [0] * len(concepts), size, accumulation, incomplete, seed=1)
    assert counted == (batches.samples_per_epoch, batches.steps_per_epoch)


def test_there_is_no_plan_without_pictures_or_without_a_whole_step() -> None:
    assert make_plan(config(), facts(scans=())) is None
    assert make_plan(config(), facts(scans=(scan_of(0),))) is None
    assert make_plan(config({"batch.size": 20, "batch.incomplete": "drop"}), facts()) is None


@given(st.decimals(0, 1, places=3), st.integers(1, 10**6))
def test_the_text_encoder_trains_for_the_floor_of_its_share_exactly(ratio: Any, steps: int) -> None:
    assert text_encoder_steps(float(ratio), steps) == math.floor(Fraction(str(ratio)) * steps)


def test_a_share_that_floating_point_would_round_down_is_not() -> None:
    assert math.floor(0.29 * 100) == 28
    assert text_encoder_steps(0.29, 100) == 29


@given(st.integers(0, 60), st.integers(0, 9), st.integers(0, 20), st.integers(1, 9))
def test_counting_what_is_due_is_asking_at_each_step(steps: int, epochs: int, every: int, per_epoch: int) -> None:
    due = [step for step in range(1, steps + 1) if is_due(step, epochs, every, per_epoch)]
    assert count_due(steps, epochs, every, per_epoch) == len(due)
    for step in due:
        assert (every and step % every == 0) or (epochs and step % (epochs * per_epoch) == 0)


def test_an_interval_of_zero_is_off() -> None:
    assert not any(is_due(step, 0, 0, 5) for step in range(1, 100))


@pytest.mark.parametrize(
    ("epochs", "every", "saves"), [(25, 0, 4), (30, 0, 4), (0, 0, 1), (0, 500, 3), (50, 600, 2), (101, 0, 1)]
)
def test_the_state_at_the_end_is_saved_once(epochs: int, every: int, saves: int) -> None:
    assert plan({"intervals.save_every_epochs": epochs, "intervals.save_every_steps": every}).save_steps == saves


def test_previews_are_counted_over_concepts_and_pictures() -> None:
    made = plan({"concepts.0.sample.count": 3, "intervals.sample_every_epochs": 10})
    assert (made.sample_steps, made.sample_pictures) == (10, 30)
    more = {"concepts.0.sample.with_class": True, "intervals.sample_at_start": True}
    made = plan({"concepts.0.sample.count": 3, "intervals.sample_every_epochs": 10} | more)
    assert (made.sample_steps, made.sample_pictures) == (11, 66)


@given(st.integers(1, 60), st.integers(0, 9), st.integers(0, 20), st.integers(1, 9))
def test_the_last_step_has_previews_where_any_are_made_on_the_way(
    steps: int, epochs: int, every: int, per_epoch: int
) -> None:
    intervals = IntervalOptions(sample_every_epochs=epochs, sample_every_steps=every)
    shown = [step for step in range(1, steps + 1) if is_shown(step, steps, intervals, per_epoch)]
    assert count_shown(steps, intervals, per_epoch) == len(shown)
    assert shown[-1:] == ([steps] if epochs or every else [])
    assert shown[:-1] == [step for step in range(1, steps) if is_due(step, epochs, every, per_epoch)]


def test_only_missing_class_pictures_are_made() -> None:
    assert (plan().class_wanted, plan().class_missing) == (24, 24)
    some = plan(prior_scans=(scan_of(20),))
    assert (some.class_wanted, some.class_missing) == (24, 4)
    assert plan(prior_scans=(scan_of(99),)).class_missing == 0


def test_warm_up_may_be_a_share_of_the_run() -> None:
    assert plan({"learning_rate.warmup_steps": "10%"}).warmup == 120
    assert plan({"learning_rate.warmup_steps": 7}).warmup == 7


def test_a_state_of_stable_diffusion_with_its_text_encoder_takes_about_11_8_gigabytes() -> None:
    made = plan({"performance.text_encoder_ratio": 0.7})
    assert made.checkpoint_bytes == (859_520_964 + 123_060_480) * 12
    assert plan().checkpoint_bytes == 859_520_964 * 12
    assert (plan({"performance.optimizer": "adamw_8bit"}).checkpoint_bytes or 0) < 859_520_964 * 6.2
    assert plan(machine=card()).checkpoint_bytes == plan({"performance.optimizer": "adamw_8bit"}).checkpoint_bytes


def test_an_export_holds_every_component_once() -> None:
    parameters = 859_520_964 + 83_653_863 + 123_060_480
    assert plan().export_bytes == 2 * parameters
    assert plan({"saving.half": False}).export_bytes == 4 * parameters


def test_the_disk_holds_one_state_more_than_is_kept_but_no_more_than_are_ever_saved() -> None:
    def disk(changes: dict[str, Any]) -> int:
        made = plan({"saving.export_when_done": False, "saving.on_cancel": False} | changes)
        assert made.disk_bytes is not None and made.checkpoint_bytes is not None
        return made.disk_bytes // made.checkpoint_bytes

    assert disk({}) == 3
    assert disk({"saving.keep_checkpoints": 3}) == 4
    assert disk({"saving.keep_checkpoints": 9}) == 5
    assert disk({"intervals.save_every_epochs": 0}) == 2


def test_exports_class_pictures_and_previews_take_disk_too() -> None:
    base = plan().disk_bytes
    assert base is not None
    export = plan().export_bytes
    assert export is not None
    none = plan({"saving.export_when_done": False, "saving.on_cancel": False}).disk_bytes
    assert none is not None and base - none == export
    each = plan({"saving.on_save": True}).disk_bytes
    assert each is not None and each - base == 3 * export
    more = plan({"concepts.0.prior.images_per_instance": 3}).disk_bytes
    assert more is not None and more > base
    previews = plan({"concepts.0.sample.count": 2}).disk_bytes
    assert previews is not None and previews - base == 20 * 512 * 512 * 2


def test_bytes_are_unknown_while_the_source_is() -> None:
    made = plan(source=None)
    assert (made.checkpoint_bytes, made.export_bytes, made.disk_bytes, made.memory_bytes) == (None,) * 4


def test_the_resolution_counts_only_where_it_is_chosen() -> None:
    native = plan(source=source(native_resolution=768)).memory_bytes
    assert native == plan({"model.resolution": 768}).memory_bytes
    assert native is not None and native > (plan().memory_bytes or 0)
