"""What counts first of all that says how pictures are drawn."""

from __future__ import annotations

import json

import pytest

from core.settings import settings_path
from tests.dbtui.test_gallery import surroundings  # noqa: F401 - a fixture


def test_a_variable_counts_before_the_setting_and_that_before_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from dbtui.widgets.graphics import protocol

    new, old = (1, 4000, 41), (1, 4000, 26)
    assert protocol({"TERM": "xterm-ghostty"}) == "kitty"
    assert protocol({"TERM": "xterm-kitty"}, new) == protocol({"TERM": "xterm-kitty"}, (1, 4001, 0)) == "kitty"
    assert protocol({"TERM": "xterm-kitty"}, old) == protocol({"TERM": "xterm-kitty"}) == "halfcell"
    assert protocol({"TERM": "xterm-kitty", "TMUX": "x"}, new) == "halfcell"
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('graphics = "sixel"\n')
    assert protocol({"TERM": "xterm-kitty"}, new) == "sixel"
    assert protocol({"TERM": "xterm-kitty", "DBTUI_GRAPHICS": "off"}, new) == "off"
    settings_path().write_text(json.dumps("crayons").join(("graphics = ", "\n")))
    assert protocol({}) == "halfcell"
