"""Any configuration that the options allow, for property tests."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from core.config.options import NAME_PATTERN, Concept, RunConfig
from core.config.table import Option, option_table

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.from_regex(re.compile(NAME_PATTERN, re.ASCII), fullmatch=True).filter(
    lambda name: not name.startswith(("-", "."))
)


def values_of(option: Option) -> st.SearchStrategy[Any]:
    """Values that the option takes, its limits included."""
    if option.choices:
        return st.sampled_from(option.choices)
    if option.name == "warmup_steps":
        return st.integers(0, 10**9) | st.integers(0, 100).map(lambda share: f"{share}%") | st.just("2.5%")
    if option.name == "resolution":
        return st.just("auto") | st.integers(8, 4096)
    if option.path == "learning_rate.rate":
        return st.just("auto") | st.floats(0, 1, exclude_min=True)
    if option.name == "betas":
        return st.sampled_from(["auto", "0.9, 0.99", "0, .5"])
    if option.name == "weight_decay":
        return st.just("auto") | st.floats(0, 1)
    if option.name == "eps":
        return st.just("auto") | st.floats(0, 1, exclude_min=True)
    if option.name in ("name", "export_name"):
        return st.just("") | NAMES
    if option.type == "switch":
        return st.booleans()
    if option.type == "integer":
        return st.integers(int(option.minimum or 0), int(option.maximum or 0))
    if option.type == "number":
        return st.floats(option.minimum, option.maximum, exclude_min=option.exclusive_minimum, allow_nan=False)
    return TEXTS


@st.composite
def run_configs(draw: st.DrawFn) -> RunConfig:
    """A `RunConfig` with any values in any options and one to three concepts."""
    raw: dict[str, Any] = {"concepts": tuple({} for _ in range(draw(st.integers(1, 3))))}
    for option in option_table():
        *tables, name = option.path.split(".")
        places = raw["concepts"] if tables[0] == "concepts" else (raw,)
        for place in places:
            for table in tables[2:] if tables[0] == "concepts" else tables:
                place = place.setdefault(table, {})
            if draw(st.integers(0, 3)) == 0:
                place[name] = draw(values_of(option))
    config = RunConfig.model_validate(raw)
    assert all(isinstance(concept, Concept) for concept in config.concepts)
    return config
