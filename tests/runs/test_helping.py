"""A process that trains along says why it ended, whatever that was."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from core.place import Place
from core.runs.helping import HelpingHandle


def test_a_mistake_before_it_met_the_others_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def join(place: Place, **_: object) -> None:
        raise RuntimeError("this was not foreseen.")

    monkeypatch.setitem(sys.modules, "core.training.meeting", SimpleNamespace(join=join))
    handle = HelpingHandle(Place(1, 2, 1, 2))
    handle.join(20)
    assert handle.exit_code == 1
    assert handle.failure is not None
    assert (handle.failure.code, handle.failure.values["rank"]) == ("processes.mistake", 1)
    assert "RuntimeError: this was not foreseen." in handle.failure.text
    assert "Traceback" in capsys.readouterr().err
