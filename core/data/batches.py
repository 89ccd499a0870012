"""Which pictures are in which step: a pure function of (seed, step), so that resuming is arithmetic.

One epoch is every instance picture × its repeats over all concepts, once, in an order of its own. Where these do not
fill the last step, `wrap` repeats some entries and `drop` leaves some out; entries take turns at it, so that over the
epochs none is favoured. Each instance slot of a concept with class pictures takes the next of these, in permutations
that run on across epochs: at any moment every class picture was used equally often (to one).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from core.seeds import derive
from core.texts import UserError, counted


@dataclass(frozen=True)
class Slot:
    """A place in the effective batch: `index` in it, and which pictures of which concept stand there."""

    index: int
    concept: int
    instance: int
    prior: int | None


class BatchPlan:
    """`instances`, `repeats` and `priors` are one number a concept. Steps count from 0 and never end.

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
    ) -> None:
        self.batch = size * accumulation
        self._seed = seed
        self._instances = tuple(instances)
        self._priors = tuple(priors)
        self._counts = tuple(count * times for count, times in zip(instances, repeats, strict=True))
        self._ends = tuple(accumulate(self._counts))
        entries = sum(self._counts)
        self._wraps = incomplete == "wrap"
        self._turns_per_epoch = -entries % self.batch if self._wraps else entries % self.batch
        self._check(entries, size, accumulation, incomplete)
        self.samples_per_epoch = entries + (self._turns_per_epoch if self._wraps else -self._turns_per_epoch)
        self.steps_per_epoch = self.samples_per_epoch // self.batch
        self._turns = self._permutation(entries, "batch-turns", 0)
        self._latest: tuple[int, tuple[Slot, ...]] = (-1, ())

    def step(self, step: int) -> tuple[Slot, ...]:
        """The `size × accumulation` slots of a step, counted from 0, whatever steps were asked for before."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if step < 0:
            raise ValueError(f"there is no step {step}")
        number, slots = self._latest
        if number != epoch:
            slots = self._epoch(epoch)
            self._latest = (epoch, slots)
        return slots[place * self.batch : (place + 1) * self.batch]

    def _epoch(self, epoch: int) -> tuple[Slot, ...]:
        entries = list(range(len(self._turns)))
        first = epoch * self._turns_per_epoch
        turn = [self._turns[n % len(self._turns)] for n in range(first, first + self._turns_per_epoch)]
        if self._wraps:
            entries.extend(turn)
        else:
            left_out = set(turn)
            entries = [entry for entry in entries if entry not in left_out]
        order = self._permutation(len(entries), "batch-order", epoch)
        used = [self._slots_before(concept, epoch) for concept in range(len(self._counts))]
        rounds: dict[tuple[int, int], list[int]] = {}
        slots = []
        for position, place in enumerate(order):
            entry = entries[place]
            concept = bisect_right(self._ends, entry)
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
        whole, rest = divmod(epoch * self._turns_per_epoch, len(self._turns))
        begin = self._ends[concept] - self._counts[concept]
        turns = sum(begin <= entry < self._ends[concept] for entry in self._turns[:rest])
        turns += whole * self._counts[concept]
        return epoch * self._counts[concept] + (turns if self._wraps else -turns)

    def _permutation(self, count: int, purpose: str, number: int) -> list[int]:
        return sorted(range(count), key=lambda index: derive(self._seed, purpose, number, index))

    def _check(self, entries: int, size: int, accumulation: int, incomplete: str) -> None:
        if 0 in self._instances or not entries:
            raise UserError(
                "batch.no-pictures", "There is a concept without pictures to learn from.",
                mend="Choose a folder with at least one picture.",
            )  # fmt: skip
        values = {
            "pictures": counted(entries, "picture"), "size": size, "accumulation": accumulation, "batch": self.batch,
        }  # fmt: skip
        if incomplete == "error" and self._turns_per_epoch:
            raise UserError(
                "batch.incomplete",
                "{pictures} (repeats counted) do not divide into steps of {batch} (batch size {size} × gradient "
                "accumulation {accumulation}).",
                mend="Choose a batch size and accumulation whose product divides the pictures, or set incomplete "
                "batches to wrap or drop.",
                **values,
            )
        if incomplete == "drop" and entries < self.batch:
            raise UserError(
                "batch.too-large",
                "{pictures} (repeats counted) do not fill a single step of {batch} (batch size {size} × gradient "
                "accumulation {accumulation}), and what does not fill a step is dropped.",
                mend="Choose a smaller batch size or accumulation, or set incomplete batches to wrap.", **values,
            )  # fmt: skip
