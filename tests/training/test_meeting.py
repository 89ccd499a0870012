"""Processes that do not come together are told why."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch.distributed as dist

from core.place import HOME, Place
from core.texts import UserError
from core.training.meeting import join
from core.training.ranks import Ranks


def alone() -> Ranks:
    """A meeting of one."""
    listener = socket.create_server((HOME, 0))
    return join(Place(port=listener.getsockname()[1]), listener=listener.detach())


def test_a_network_that_is_none_is_a_reason_and_no_mistake_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "no-such-network")
    with pytest.raises(UserError) as refused:
        alone()
    assert refused.value.code == "processes.not-together"
    assert "GLOO_SOCKET_IFNAME" in refused.value.message.advice
    assert not dist.is_initialized()


def test_after_a_meeting_that_failed_the_next_one_is_at_the_place_where_others_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are new processes: for them it is the first one."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "no-such-network")
    with pytest.raises(UserError):
        alone()
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    ranks = alone()
    try:
        assert dist.distributed_c10d._get_default_group().group_name == "0"
    finally:
        ranks.close()


def test_where_processes_lose_each_other_the_run_its_log_and_the_way_on_are_named() -> None:
    ranks = Ranks(Place(1, 2, 1, 2))
    ranks.train("clock", Path("/home/me/runs/clock/train.log"))
    for lost in (ranks._gone(0, None), ranks._silent("it hangs")):
        assert "`dbtui train clock --resume`" in lost.message.advice
        assert "/home/me/runs/clock/train.log" in lost.message.advice
