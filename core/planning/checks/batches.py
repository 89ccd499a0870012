"""Whole batches: each size of pictures must divide by batch size × accumulation, or what happens instead is said."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from core.config.findings import Finding, Fix, Level
from core.config.options import RunConfig
from core.planning.buckets import BucketPlan, common_samples, images_per_step, plan_buckets
from core.planning.facts import Facts
from core.texts import apart, beside, counted, joined, message, noted, say

MOST_PAIRS = 6
PAIRS_NAMED = 3
LARGEST = 1024

SHAPE_DOES = (
    "Each shape fills batches of its own, and does not divide by batch size {size} × accumulation "
    "{accumulation}{several} = {per_step} (repeats counted): {buckets}."
)
SHAPES_DO = (
    "Each shape fills batches of its own, and do not divide by batch size {size} × accumulation "
    "{accumulation}{several} = {per_step} (repeats counted): {buckets}."
)


def batches(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """All pictures of a step have one size, so each size has to come out even by itself."""
    buckets = plan_buckets(config, facts)
    size, accumulation, incomplete = config.batch.size, config.batch.accumulation, config.batch.incomplete
    per_step = images_per_step(config, facts)
    shares = per_step // (size * accumulation)
    odd = [bucket for bucket in buckets or () if bucket.samples % per_step]
    if not buckets or not odd:
        return
    samples = sum(bucket.samples for bucket in buckets)
    values: dict[str, Any] = {
        "samples": samples,
        "size": size,
        "accumulation": accumulation,
        "per_step": per_step,
        "several": _several(shares),
    }
    pairs = _pair_fixes(common_samples(buckets), size, accumulation, shares)
    wrap = _incomplete_fix("wrap", sum(-bucket.samples % per_step for bucket in buckets))
    if samples < per_step:
        wrap = Fix(message("fix.repeat", "Repeat the pictures until the batch is full"), wrap.changes)
    steps = sum(bucket.samples // per_step for bucket in buckets)
    if incomplete == "error":
        drop = _incomplete_fix("drop", sum(bucket.samples % per_step for bucket in buckets))
        yield Finding(Level.ERROR, "batch.size", message(
            "batch.incomplete", (SHAPES_DO if len(odd) > 1 else SHAPE_DOES) if len(buckets) > 1 else
            "{samples} pictures (repeats counted) do not divide by batch size {size} × "
            "accumulation {accumulation}{several} = {per_step}: the last batch of each epoch would not be full.",
            mend="Choose a pair that divides, or say what to do with the rest." if pairs else
            "Train with a number of processes that divides them, or say what to do with the rest.",
            buckets=_in_words(odd, size, accumulation, shares), **values),
            (*pairs, wrap, drop) if steps else (*pairs, wrap))  # fmt: skip
    elif incomplete == "drop" and steps == 0:
        yield Finding(Level.ERROR, "batch.size", message(
            "batch.too-large", "Nothing would be trained: each epoch has {samples} pictures, a step takes {per_step}"
            "{alike}, and incomplete batches are dropped.", mend="Choose a smaller pair, or wrap.",
            alike=say("batch.alike", " of one size") if len(buckets) > 1 else "", **values),
            (*pairs, wrap))  # fmt: skip
    else:
        yield from _never_seen(odd, per_step, (*pairs, wrap)) if incomplete == "drop" else ()
        kept = sum(bucket.samples_per_epoch for bucket in buckets)
        rest = abs(samples - kept)
        if incomplete == "drop":
            said = message("batch.drop", "{samples} pictures do not fill batches of {per_step}: each epoch leaves "
                           "{rest} of them out, in turn.", rest=rest, **values)  # fmt: skip
        elif samples < per_step:
            said = message("batch.repeats", "A step takes {per_step} pictures and there are only {samples}: they are "
                           "repeated until it is full.", mend="Set batch size × accumulation to {samples} or less.",
                           **values)  # fmt: skip
        else:
            said = message("batch.wrap", "{samples} pictures do not fill batches of {per_step}: each epoch shows "
                           "{rest} of them once more, in turn.", rest=rest, **values)  # fmt: skip
        yield Finding(Level.HINT, "batch.incomplete", said, pairs)


CHECKS = (batches,)


def valid_pairs(samples: int, size: int, accumulation: int, processes: int = 1) -> list[tuple[int, int]]:
    """(size, accumulation) whose product, times `processes`, divides `samples`; the nearest to what was asked first.

    Near means: about as many pictures in each update, then about as many at a time, rather fewer than more.
    """
    if samples % processes:
        return []
    pairs = [(first, product // first) for product in _divisors(samples // processes) for first in _divisors(product)
             if first <= LARGEST and product // first <= LARGEST]  # fmt: skip

    def distance(pair: tuple[int, int]) -> tuple[float, float, bool]:
        update = abs(math.log(pair[0] * pair[1] / (size * accumulation)))
        return round(update, 9), round(abs(math.log(pair[0] / size)), 9), pair[0] > size

    return sorted(pairs, key=distance)


def _never_seen(odd: list[BucketPlan], per_step: int, fixes: tuple[Fix, ...]) -> Iterator[Finding]:
    """Where a whole bucket is smaller than a step, taking turns at being left out helps none of its pictures."""
    for bucket in odd:
        if bucket.samples < per_step and bucket.size is not None:
            yield Finding(Level.WARNING, "batch.incomplete", message(
                "bucket.never", "{count} of {size} px never fill a step of {per_step}: incomplete batches are "
                "dropped, so they are never trained.",
                mend="Wrap, choose a smaller pair, or add pictures of that shape.", size=bucket.size.words,
                count=counted(bucket.samples, "picture"), per_step=per_step), fixes)  # fmt: skip


def _several(processes: int) -> str:
    return say("batch.several", " × {processes} processes", processes=processes) if processes > 1 else ""


def _in_words(odd: list[BucketPlan], size: int, accumulation: int, processes: int) -> str:
    """Each bucket with its pictures and what would divide them: `640 × 384 px, 6 pictures (3 × 2, 2 × 3)`."""
    return apart(
        noted(
            beside((f"{bucket.size.words if bucket.size else ''} px", counted(bucket.samples, "picture"))),
            joined(f"{first} × {second}" for first, second in
                   valid_pairs(bucket.samples, size, accumulation, processes)[:PAIRS_NAMED])
            or say("batch.no-pair", "no pair for {processes} processes", processes=processes),
        )
        for bucket in odd
    )  # fmt: skip


def _divisors(number: int) -> set[int]:
    low = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    return {*low, *(number // divisor for divisor in low)}


def _pair_fixes(samples: int, size: int, accumulation: int, processes: int) -> tuple[Fix, ...]:
    return tuple(
        Fix(message("fix.batch", "Batch size {size} × accumulation {accumulation}{several} = {pictures} an update",
                    size=first, accumulation=second, pictures=counted(first * second * processes, "picture"),
                    several=_several(processes)),
            {"batch.size": first, "batch.accumulation": second})
        for first, second in valid_pairs(samples, size, accumulation, processes)[:MOST_PAIRS]
    )  # fmt: skip


def _incomplete_fix(way: str, count: int) -> Fix:
    pictures = counted(count, "picture")
    if way == "wrap":
        said = message("fix.wrap", "Repeat {pictures} in each epoch to fill the last batch", pictures=pictures)
    else:
        said = message("fix.drop", "Leave {pictures} out of each epoch", pictures=pictures)
    return Fix(said, {"batch.incomplete": way})
