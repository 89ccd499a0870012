"""How an effective batch is cut into passes through the networks. However it is cut, the update is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.data.batches import Slot
from core.data.dataset import Dataset


@dataclass(frozen=True)
class Pass:
    """What goes through the networks at once: the instance pictures of some slots and the class pictures of some."""

    instances: tuple[Slot, ...]
    priors: tuple[Slot, ...]


@dataclass(frozen=True)
class Portion:
    """How much of an effective batch goes through the networks at once: so many slots, each with its class picture.

    Where not even one such pair fits, `split_pairs`: its two pictures go one after the other.
    """

    slots: int
    split_pairs: bool = False

    def passes(self, slots: Sequence[Slot]) -> list[Pass]:
        """Every picture of these slots once, in order."""
        cut = [tuple(slots[start : start + self.slots]) for start in range(0, len(slots), self.slots)]
        whole = [Pass(part, tuple(slot for slot in part if slot.prior is not None)) for part in cut]
        if not self.split_pairs:
            return whole
        halves = (half for both in whole for half in (Pass(both.instances, ()), Pass((), both.priors)))
        return [half for half in halves if half.instances or half.priors]

    def halved(self, *, pairs: bool) -> Portion | None:
        """The next smaller one, `None` where there is none. `pairs`: some slots have a class picture."""
        if self.slots > 1:
            return Portion(-(-self.slots // 2))
        return Portion(1, split_pairs=True) if pairs and not self.split_pairs else None


def picture_names(dataset: Dataset, slots: Sequence[Slot]) -> list[str]:
    """The file names of every picture in these slots, the person's own first."""
    concepts = dataset.concepts
    own = [concepts[slot.concept].instance[slot.instance].path.name for slot in slots]
    return own + [concepts[slot.concept].prior[slot.prior].path.name for slot in slots if slot.prior is not None]
