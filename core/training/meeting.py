"""How the processes of a run come together, whoever started them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from core.place import HOME, Place
from core.planning.checks.processes import too_few_cards
from core.texts import UserError, say
from core.training.device import device_of
from core.training.ranks import SILENCE_SECONDS, Ranks

MEETING_SECONDS = 600.0
"""How long all processes may take to come together."""


def join(
    place: Place,
    *,
    listener: int | None = None,
    meanwhile: Callable[[], None] = lambda: None,
    on_stop: Callable[[str], None] = lambda reason: None,
    give_up: Callable[[UserError], None] = lambda error: None,
) -> Ranks:
    """Meet the other processes; to be called in the thread that trains.

    `listener` is an open socket at which rank 0 is found. `meanwhile` is called while some are missing and may raise.
    `on_stop` hears of another rank that was told to end; `give_up` ends a process that cannot end in order. Raises
    `UserError` where not all come together.
    """
    device = device_of(place)
    if device.type == "cuda":
        if place.local_rank >= torch.cuda.device_count():
            raise too_few_cards(place.local_count, torch.cuda.device_count())
        torch.cuda.set_device(device)
    if place.address == HOME:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nobody outside this computer has to reach it
    silence = timedelta(seconds=SILENCE_SECONDS)
    try:
        store = _meet(place, listener, meanwhile)
        # All find each other by names that torch counts in each process, a meeting that failed included.
        dist.distributed_c10d._world.group_count = 0
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=store, rank=place.rank, world_size=place.count,
            timeout=silence * 2,  # the agreement before it has to give up first
            device_id=device if device.type == "cuda" else None,
        )  # fmt: skip
        agreement = dist.new_group(backend="gloo", timeout=silence)
        words = dist.new_group(backend="gloo", timeout=timedelta(days=3650))  # listening is not waiting
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # gloo raises it for what it cannot reach; DistError is one
        raise _not_together(place, str(error).splitlines()[0].rstrip(".")) from error
    ranks = Ranks(place)
    ranks.connect(agreement, words, on_stop, give_up)
    return ranks


def _meet(place: Place, listener: int | None, meanwhile: Callable[[], None]) -> Store:
    """The store in which all have signed, in `MEETING_SECONDS` at the most."""
    keeper = place.rank == 0 and not place.store_is_theirs
    store = TCPStore(
        place.address, place.port, None, keeper, timedelta(seconds=MEETING_SECONDS), wait_for_workers=False,
        master_listen_fd=listener,
    )  # fmt: skip
    signed = PrefixStore(f"dbtui/{place.attempt}", store)
    signed.set(f"here/{place.rank}", "")
    all_of_them = [f"here/{rank}" for rank in range(place.count)]
    deadline = time.monotonic() + MEETING_SECONDS
    while not signed.check(all_of_them):
        meanwhile()
        if time.monotonic() > deadline:
            raise _not_together(place, say("processes.some-missing", "some had not come after {seconds:.0f} s",
                                           seconds=MEETING_SECONDS))  # fmt: skip
        time.sleep(0.1)
    return signed


def _not_together(place: Place, reason: str) -> UserError:
    return UserError(
        "processes.not-together", "The {count} processes of this run did not come together: {reason}.",
        mend="Each needs to reach {address} at port {port}, and all have to be started with the same number. They also "
        "talk at ports of their own: no firewall may stand between them. GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME, "
        "where they are set, have to name a network that leads to the others.",
        count=place.count, reason=reason, address=place.address, port=place.port,
    )  # fmt: skip
