"""Going on with a run as it was trained before: by as many processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.machine import groups_of, inspect_machine
from core.place import Place
from core.planning.survey import state_of
from core.runs.folder import Run


@dataclass(frozen=True)
class Share:
    """Who trains a run: a process on each of `cards`, by their names in CUDA_VISIBLE_DEVICES; where none are named, so
    many `processes`.
    """

    processes: int = 1
    cards: tuple[str, ...] = ()

    def arguments(self, *, background: bool) -> dict[str, Any]:
        """For `launch_background` or `launch_thread`; none for one process on whatever it sees."""
        if self.cards:
            return {"cards": self.cards}
        if self.processes == 1:
            return {}
        if background:
            return {"processes": self.processes}
        return {"place": Place(count=self.processes, local_count=self.processes)}


def share_of(run: Run) -> Share:
    """That of the newest saved state, with the cards that are freest now; one process where this computer cannot."""
    count = state_of(run.path).get("processes")
    if not isinstance(count, int) or count < 2:
        return Share()
    machine = inspect_machine(all_cards=True)
    if machine.device != "cuda":
        return Share(count) if count <= machine.cores else Share()
    fitting = next((group for group in groups_of(machine.cards) if len(group) == count), ())
    return Share(max(1, len(fitting)), tuple(card.id for card in fitting))
