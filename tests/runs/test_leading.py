"""The first of several processes starts the others, and leaves none behind."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from pathlib import Path

import pytest

from core.place import Place
from core.runs import leading as subject
from core.runs.folder import Run
from core.runs.leading import Others, leading
from core.texts import UserError


def test_where_one_cannot_be_started_those_before_it_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    listeners: list[socket.socket] = []
    start_one, listen = subprocess.Popen, socket.create_server

    def start(command: list[str], **more: object) -> subprocess.Popen[bytes]:
        if len(begun) == 1:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        begun.append(start_one(["sleep", "60"], **more))  # type: ignore[call-overload]
        return begun[-1]

    def listening(address: tuple[str, int]) -> socket.socket:
        listeners.append(listen(address))
        return listeners[-1]

    monkeypatch.setattr(subject.subprocess, "Popen", start)
    monkeypatch.setattr(subject.socket, "create_server", listening)
    place = Place(count=3, local_count=3)
    together = leading(run, place, Others(), resume=False, on_stop=print, give_up=print,
                       explained=lambda error: UserError("none", "").message)  # fmt: skip
    try:
        with pytest.raises(UserError) as refused, together:
            pass
        assert (refused.value.code, refused.value.message.values["rank"]) == ("processes.no-process", 2)
        assert [process.poll() for process in begun] == [-9]
        assert listeners[0].fileno() == -1
        assert not Path(f"/proc/{begun[0].pid}").exists()
    finally:
        for process in begun:
            process.kill()
