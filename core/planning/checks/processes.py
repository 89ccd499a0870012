"""Several processes that train one run: enough cards or cores for them, and updates that can be shared evenly."""

from __future__ import annotations

from collections.abc import Iterator

from core.config.findings import Finding, Level
from core.config.options import RunConfig
from core.planning.buckets import images_per_step
from core.planning.facts import Facts
from core.texts import UserError, counted, either, message


def room(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A card for each process, or a core."""
    machine, here = facts.machine, facts.processes_here
    if machine is None or here == 1:
        return
    if machine.device == "cuda" and here > machine.gpus:
        yield Finding(Level.ERROR, "", too_few_cards(here, machine.gpus).message)
    elif machine.device == "cpu" and here > machine.cores:
        yield Finding(Level.WARNING, "", message(
            "processes.cores", "{processes} processes take turns on {cores}: that is slower than one.",
            mend="On a CPU one process uses every core by itself.", processes=here,
            cores=counted(machine.cores, "core")))  # fmt: skip


def shares(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A run keeps the pictures of its updates for life; each process takes as many of them."""
    pictures = images_per_step(config, facts)
    if pictures % facts.processes:
        fitting = [number for number in range(1, pictures + 1) if pictures % number == 0]
        yield Finding(Level.ERROR, "", message(
            "processes.share", "Each update of this run has {pictures}, which cannot be shared evenly by {processes} "
            "processes.", mend="Go on with {fitting} of them.", pictures=counted(pictures, "picture"),
            processes=facts.processes, fitting=either(fitting)))  # fmt: skip


def too_few_cards(count: int, cards: int) -> UserError:
    """Why `count` processes cannot train on a computer with so many cards, whoever starts them."""
    return UserError(
        "processes.cards", "{count} processes on this computer need a card each, and there {verb} {cards}.",
        mend="Start {cards}: --processes with dbtui, --num_processes (over all machines) with accelerate, "
        "--nproc_per_node with torchrun.", count=count, cards=cards, verb="is" if cards == 1 else "are",
    )  # fmt: skip


CHECKS = (room, shares)
