"""Which pictures are in which step: a pure function of (seed, step), so that resuming is arithmetic.

One epoch is every instance picture × its repeats over all concepts, once, in an order of its own. All pictures of a
step have one size (one aspect-ratio bucket), and the steps of the buckets take turns at random. Where a bucket's
pictures do not fill its last step, `wrap` repeats some entries and `drop` leaves some out; entries take turns at it, so
that over the epochs none is favoured. Each instance slot of a concept with class pictures takes the next of these, in
permutations that run on across epochs: at any moment every class picture was used equally often (to one).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Literal

from core.data.sizes import Size
from core.seeds import derive
from core.texts import UserError, counted, listed, say


@dataclass(frozen=True)
class Slot:
    """A place in the effective batch: `index` in it, and which pictures of which concept stand there."""

    index: int
    concept: int
    instance: int
    prior: int | None


@dataclass(frozen=True)
class _Bucket:
    """The entries of one size. `turns`: in which order they are repeated or left out, `rest` of them each epoch."""

    number: int
    size: Size | None
    entries: tuple[int, ...]
    turns: tuple[int, ...]
    rest: int

    def turns_before(self, epoch: int) -> tuple[int, tuple[int, ...]]:
        """What had a turn in the epochs before: whole rounds of all entries, and these once more."""
        rounds, more = divmod(epoch * self.rest, len(self.turns))
        return rounds, self.turns[:more]

    def turns_of(self, epoch: int) -> list[int]:
        first = epoch * self.rest
        return [self.turns[turn % len(self.turns)] for turn in range(first, first + self.rest)]


class BatchPlan:
    """`instances`, `repeats` and `priors` are one number a concept; `sizes` has the size of each instance picture,
    concept by concept (`None`: all alike). Steps count from 0 and never end.

    Raises `UserError` (`batch.no-pictures`, `batch.incomplete`, `batch.too-large`) where no whole step can be made.
    """

    def __init__(
        self,
        instances: Sequence[int],
        repeats: Sequence[int],
        priors: Sequence[int],
        size: int,
        accumulation: int,
        incomplete: Literal["error", "wrap", "drop"],
        seed: int,
        sizes: Sequence[Sequence[Size]] | None = None,
        processes: int = 1,
    ) -> None:
        self.batch = size * accumulation * processes
        self._seed = seed
        self._instances = tuple(instances)
        self._priors = tuple(priors)
        self._counts = tuple(count * times for count, times in zip(instances, repeats, strict=True))
        self._ends = tuple(accumulate(self._counts))
        self._wraps = incomplete == "wrap"
        self._buckets = tuple(self._sorted(sizes))
        self._check(size, accumulation, processes, incomplete)
        self.samples_per_epoch = sum(map(self._samples, self._buckets))
        self.steps_per_epoch = self.samples_per_epoch // self.batch
        self._latest: tuple[int, tuple[Slot, ...]] = (-1, ())

    def step(self, step: int) -> tuple[Slot, ...]:
        """The slots of a step (`batch` of them), counted from 0, whatever steps were asked for before."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if step < 0:
            raise ValueError(f"there is no step {step}")
        number, slots = self._latest
        if number != epoch:
            slots = self._epoch(epoch)
            self._latest = (epoch, slots)
        return slots[place * self.batch : (place + 1) * self.batch]

    def _sorted(self, sizes: Sequence[Sequence[Size]] | None) -> list[_Bucket]:
        """The entries by the size of their pictures, the buckets in the order of their sizes."""
        size_of = [None if sizes is None else sizes[concept][instance] for concept, instance in self._pictures()]
        buckets = []
        for number, size in enumerate(sorted(set(size_of), key=lambda size: size or Size(0, 0))):
            entries = tuple(entry for entry, its in enumerate(size_of) if its == size)
            turns = tuple(entries[place] for place in self._permutation(len(entries), "batch-turns", number))
            rest = -len(entries) % self.batch if self._wraps else len(entries) % self.batch
            buckets.append(_Bucket(number, size, entries, turns, rest))
        return buckets

    def _pictures(self) -> list[tuple[int, int]]:
        """Concept and picture of each entry: all pictures of a concept in order, as often as they are repeated."""
        return [(concept, place % self._instances[concept]) for concept, count in enumerate(self._counts)
                for place in range(count)]  # fmt: skip

    def _samples(self, bucket: _Bucket) -> int:
        return len(bucket.entries) + (bucket.rest if self._wraps else -bucket.rest)

    def _epoch(self, epoch: int) -> tuple[Slot, ...]:
        steps: list[list[int]] = []
        for bucket in self._buckets:
            turns = bucket.turns_of(epoch)
            left_out = () if self._wraps else set(turns)
            entries = [entry for entry in bucket.entries if entry not in left_out] + (turns if self._wraps else [])
            purpose = f"batch-order-{bucket.number}" if bucket.number else "batch-order"
            order = [entries[place] for place in self._permutation(len(entries), purpose, epoch)]
            steps += [order[start : start + self.batch] for start in range(0, len(order), self.batch)]
        if len(self._buckets) > 1:
            steps = [steps[place] for place in self._permutation(len(steps), "bucket-order", epoch)]
        return self._with_class(epoch, list(chain.from_iterable(steps)))

    def _with_class(self, epoch: int, entries: list[int]) -> tuple[Slot, ...]:
        """The epoch's entries as slots, each with the next class picture of its concept."""
        used = [self._slots_before(concept, epoch) for concept in range(len(self._counts))]
        rounds: dict[tuple[int, int], list[int]] = {}
        slots = []
        for position, entry in enumerate(entries):
            concept = self._concept_of(entry)
            instance = (entry - self._ends[concept] + self._counts[concept]) % self._instances[concept]
            prior = None
            if self._priors[concept]:
                key = (concept, used[concept] // self._priors[concept])
                if key not in rounds:
                    rounds[key] = self._permutation(self._priors[concept], f"class-order-{concept}", key[1])
                prior = rounds[key][used[concept] % self._priors[concept]]
            used[concept] += 1
            slots.append(Slot(position % self.batch, concept, instance, prior))
        return tuple(slots)

    def _slots_before(self, concept: int, epoch: int) -> int:
        """How many slots the concept had in all epochs before this one."""
        turns = 0
        for bucket in self._buckets:
            rounds, more = bucket.turns_before(epoch)
            turns += rounds * sum(self._concept_of(entry) == concept for entry in bucket.entries)
            turns += sum(self._concept_of(entry) == concept for entry in more)
        return epoch * self._counts[concept] + (turns if self._wraps else -turns)

    def _concept_of(self, entry: int) -> int:
        return bisect_right(self._ends, entry)

    def _permutation(self, count: int, purpose: str, number: int) -> list[int]:
        return sorted(range(count), key=lambda index: derive(self._seed, purpose, number, index))

    def _check(self, size: int, accumulation: int, processes: int, incomplete: str) -> None:
        entries = sum(self._counts)
        if 0 in self._instances or not entries:
            raise UserError(
                "batch.no-pictures", "There is a concept without pictures to learn from.",
                mend="Choose a folder with at least one picture.",
            )  # fmt: skip
        values = {
            "pictures": counted(entries, "picture"), "size": size, "accumulation": accumulation, "batch": self.batch,
            "several": f" × {processes} processes" if processes > 1 else "",
        }  # fmt: skip
        odd = [bucket for bucket in self._buckets if bucket.rest]
        if incomplete == "error" and odd:
            sizes = [
                say("batch.of-size", "{count} of {size} px", count=len(bucket.entries), size=bucket.size.words)
                for bucket in odd
                if bucket.size
            ]
            where = say("batch.because", ", because of {sizes}", sizes=listed(sizes)) if len(self._buckets) > 1 else ""
            raise UserError(
                "batch.incomplete",
                "{pictures} (repeats counted) do not divide into steps of {batch} (batch size {size} × gradient "
                "accumulation {accumulation}{several}){where}.",
                mend="Choose a batch size and accumulation whose product divides the pictures, or set incomplete "
                "batches to wrap or drop.",
                where=where, **values,
            )  # fmt: skip
        if incomplete == "drop" and not any(map(self._samples, self._buckets)):
            raise UserError(
                "batch.too-large",
                "{pictures} (repeats counted) do not fill a single step of {batch} (batch size {size} × gradient "
                "accumulation {accumulation}{several}), and what does not fill a step is dropped.",
                mend="Choose a smaller batch size or accumulation, or set incomplete batches to wrap.", **values,
            )  # fmt: skip
