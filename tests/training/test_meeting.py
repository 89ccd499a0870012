"""Processes that do not come together are told why."""

from __future__ import annotations

import socket

import pytest
import torch.distributed as dist

from core.place import HOME, Place
from core.texts import UserError
from core.training.meeting import join


def test_a_network_that_is_none_is_a_reason_and_no_mistake_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "no-such-network")
    listener = socket.create_server((HOME, 0))
    place = Place(port=listener.getsockname()[1])
    with pytest.raises(UserError) as refused:
        join(place, listener=listener.detach())
    assert refused.value.code == "processes.not-together"
    assert "GLOO_SOCKET_IFNAME" in refused.value.message.advice
    assert not dist.is_initialized()
