from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import ENDINGS, KINDS, Event, Phase, Step, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: TEXT,
    bool: st.booleans(),
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(list(KINDS.values())))
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        if name == "kind":
            continue
        options = [VALUES[part] for part in VALUES if part is hint or part in getattr(hint, "__args__", ())]
        mapping = "Mapping" in str(hint)
        values[name] = draw(st.dictionaries(TEXT, TEXT, max_size=2) if mapping else st.one_of(options))
    return kind(**values)


@given(events())
def test_what_is_written_is_read_back_equal_and_takes_one_line(event: Event) -> None:
    line = encode(event)
    assert "\n" not in line
    assert decode(line) == event == decode(line.encode())


@given(events(), st.data())
def test_a_torn_line_is_nothing(event: Event, data: st.DataObject) -> None:
    line = encode(event).encode()
    assert decode(line[: data.draw(st.integers(0, len(line) - 1))]) is None


def test_time_and_kind_come_first() -> None:
    assert list(json.loads(encode(Phase(name="training", time=5.0))))[:2] == ["time", "kind"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_is_null(value: float) -> None:
    step = Step(step=1, epoch=1, loss=value, instance_loss=1.0, prior_loss=None, rate=1e-6, text_encoder_rate=None,
                gradient_norm=value, images_per_second=1.0, memory_bytes=0, skipped=True)  # fmt: skip
    line = encode(step)
    assert json.loads(line)["loss"] is None and json.loads(line)["gradient_norm"] is None
    assert decode(line) == dataclasses.replace(step, loss=None, gradient_norm=None)


def test_an_older_reader_passes_over_what_it_does_not_know() -> None:
    assert decode('{"time": 1.0, "kind": "telepathy", "thought": "x"}') is None
    assert decode('{"time": 1.0, "kind": "phase", "name": "saving", "since": 3}') == Phase(name="saving", time=1.0)


@pytest.mark.parametrize("line", ["", "null", "[]", "5", '"step"', "{}", '{"kind": []}', '{"kind": "step"}', "\xff"])
def test_a_line_that_is_no_event_is_nothing(line: str) -> None:
    assert decode(line) is None


def test_every_kind_stands_under_its_own_name_and_the_endings_are_among_them() -> None:
    assert {
        "run", "phase", "measured", "step", "validation", "sample", "checkpoint", "export", "warning", "paused",
        "continued", "stopped", "done", "failed",
    } == set(KINDS)  # fmt: skip
    assert all(KINDS[ending.kind] is ending for ending in ENDINGS)
